//! Crashes of a backend, which end every session, and the recovery that follows, either short or held.

use std::time::Duration;

use tokio::time::Instant;

use super::super::mailbox::Ending;
use super::super::report::NotNow;
use super::super::world::{Activity, After, Phase, Server};
use super::{PATIENCE, Postgres};
use crate::gateway::transport::Host;
use crate::server::ServerError;

impl<H: Host> Postgres<H> {
    /// Kills (SIGKILL) the oldest session of a role; returns `true` once all sessions are gone and recovery has
    /// begun, and `false` if the role has no session.
    ///
    /// *Errors*: sessions remain after [`PATIENCE`].
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

    /// Crashes the server as if a backend without a client had been killed: all sessions end, and recovery begins and
    /// is held until [`release_recovery`](Postgres::release_recovery).
    ///
    /// *Errors*: sessions remain after [`PATIENCE`].
    pub async fn crash_into_recovery(&self) -> Result<(), ServerError> {
        self.crash(None, None).await
    }

    /// Continues a held recovery; returns once the server accepts sign-ins.
    ///
    /// *Errors*: as [`ready`](Postgres::ready).
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
        // Connections accepted meanwhile have higher pids. They are refused, and need not be waited for.
        self.until("crash", PATIENCE, |server| server.backends.range(..=others).next().is_none()).await
    }
}

impl Server {
    /// Handles the death of a backend: ends every other one, and begins recovery. `replay`: the duration of replay;
    /// `None`: until it is released.
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
