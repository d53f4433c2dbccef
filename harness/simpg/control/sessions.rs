//! Counts, terminates and notifies the sessions of a simulated server.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::mailbox::{Ending, Notification};
use super::super::world::Activity;
use super::{PATIENCE, Postgres};
use crate::gateway::transport::Host;
use crate::model::history::Sessions;
use crate::server::ServerError;
use crate::server::bootstrap::DATABASE;

impl<H: Host> Postgres<H> {
    /// Terminates every session of a role, as `pg_terminate_backend` does; returns how many, once they are gone. If
    /// the server is frozen, returns at once: the sessions end when it is thawed.
    ///
    /// *Errors*: sessions remain after [`PATIENCE`].
    pub async fn terminate_sessions(&self, role: &str) -> Result<usize, ServerError> {
        self.terminate(role, |_| true).await
    }

    /// Terminates the sessions of a role that wait for a standby to confirm a commit, which is then never
    /// acknowledged.
    ///
    /// *Errors*: as [`terminate_sessions`](Postgres::terminate_sessions).
    pub async fn end_unconfirmed(&self, role: &str) -> Result<usize, ServerError> {
        self.terminate(role, |unconfirmed| unconfirmed).await
    }

    async fn terminate(&self, role: &str, which: impl Fn(bool) -> bool) -> Result<usize, ServerError> {
        let (told, newest, frozen) = self.change(|server| {
            let told = server.of_role(role).filter(|backend| which(backend.unconfirmed));
            let told = told.map(|backend| backend.mailbox.end(Ending::Terminated)).count();
            (told, server.next_pid, server.frozen)
        });
        if !frozen {
            let is_gone = |server: &super::Server| {
                let mut old = server.backends.range(..=newest);
                !old.any(|(_, own)| {
                    own.role == role && own.activity != Activity::SigningIn && own.mailbox.ending().is_some()
                })
            };
            self.until("end the sessions of", PATIENCE, is_gone).await?;
        }
        Ok(told)
    }

    /// The sessions of a role, as in `pg_stat_activity`.
    #[cfg(test)]
    pub fn sessions(&self, role: &str) -> Sessions {
        self.sessions_idle_for(role, Duration::ZERO)
    }

    /// The sessions of a role. One counts as idle in a transaction if it has been so for at least `idle`.
    pub fn sessions_idle_for(&self, role: &str, idle: Duration) -> Sessions {
        let (servers, now) = (self.servers(), Instant::now());
        let mut found = Sessions { open: 0, idle_in_transaction: 0 };
        for backend in servers[self.index].of_role(role) {
            found.open += 1;
            let is_idle = backend.activity == Activity::IdleInTransaction && now - backend.since >= idle;
            found.idle_in_transaction += u32::from(is_idle);
        }
        found
    }

    /// The number of a role's sessions that wait for a standby to confirm a commit.
    pub fn unconfirmed(&self, role: &str) -> usize {
        self.servers()[self.index].of_role(role).filter(|backend| backend.unconfirmed).count()
    }

    /// Sends a notification to all listening sessions, as from a session of the harness.
    pub fn notify(&self, channel: &str, payload: &str) {
        let sent = Notification { pid: 1, channel: Arc::from(channel), payload: Arc::from(payload) };
        self.servers()[self.index].notify(DATABASE, &sent);
    }
}
