//! A backend dies, and takes every session with it; recovery, short or held.

use std::time::Duration;

use tokio::time::Instant;

use super::super::mailbox::Ending;
use super::super::report::NotNow;
use super::super::world::{Activity, After, Phase, Server};
use super::{PATIENCE, Postgres};
use crate::gateway::transport::Host;
use crate::server::ServerError;

impl<H: Host> Postgres<H> {
    /// Kills (SIGKILL) the longest-standing session of a role; returns once all sessions are gone and recovery has begun.
    /// `false`: the role has no session, and nothing is done.
    pub async fn crash_backend(&self, role: &str) -> Result<bool, ServerError> {
        let victim = {
            let servers = self.servers();
            let mut signed_in = servers[self.index].backends.iter();
            signed_in.find(|(_, own)| own.role == role && own.activity != Activity::SigningIn).map(|(pid, _)| *pid)
        };
        let Some(victim) = victim else { return Ok(false) };
        let replay = self.servers()[self.index].a_while(10, 40);
        self.crash(Some(victim), Some(replay)).await?;
        Ok(true)
    }

    /// Has a backend of no client die inside a large transaction; recovery begins, and is held until
    /// [`release_recovery`](Postgres::release_recovery).
    pub async fn crash_into_recovery(&self) -> Result<(), ServerError> {
        self.crash(None, None).await
    }

    /// Lets a recovery go on that was held; returns once clients are let in.
    pub async fn release_recovery(&self) -> Result<(), ServerError> {
        self.change(|server| {
            match &mut server.phase {
                Phase::NotYet { until: until @ None, .. } => *until = Some(Instant::now()),
                Phase::NotYet { then: then @ After::Replay(None), .. } => *then = After::Replay(Some(Duration::ZERO)),
                _ => {}
            }
            server.postmaster.notify_one();
        });
        self.ready().await
    }

    async fn crash(&self, victim: Option<i32>, replay: Option<Duration>) -> Result<(), ServerError> {
        let others = self.change(|server| {
            let pid = victim.unwrap_or_else(|| {
                server.next_pid += 1;
                server.next_pid
            });
            if let Some(task) = server.backends.get(&pid).and_then(|backend| backend.task.as_ref()) {
                task.abort();
            }
            server.collapse(pid, "9: Killed", replay);
            server.next_pid
        });
        // A connection that comes meanwhile is refused, and does not count.
        self.until("crash", PATIENCE, |server| server.backends.range(..=others).next().is_none()).await
    }
}

impl Server {
    /// A backend has died: every other one is ended, and recovery begins; `replay` is how long it takes, `None`: it is
    /// held.
    pub fn collapse(&mut self, pid: i32, signal: &str, replay: Option<Duration>) {
        self.remark(format!("server process (PID {pid}) was terminated by signal {signal}"));
        self.remark("terminating any other active server processes");
        self.needs_recovery = true;
        let until = Some(Instant::now() + self.a_while(5, 15));
        self.phase = Phase::NotYet { why: NotNow::InRecovery, until, then: After::Replay(replay) };
        self.end_all(Ending::Crash);
        self.postmaster.notify_one();
    }
}
