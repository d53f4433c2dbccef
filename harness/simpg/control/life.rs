//! Starts, stops, kills, freezes and thaws a simulated server.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::super::gate::through;
use super::super::mailbox::Ending;
use super::super::postmaster;
use super::super::report::NotNow;
use super::super::world::{After, Phase, replicate_around};
use super::{PATIENCE, Postgres};
use crate::gateway::transport::Host;
use crate::model::fault::StopMode;
use crate::server::ServerError;

impl<H: Host> Postgres<H> {
    /// Starts the server, which listens at its earlier address and refuses sign-ins until it is ready. Does nothing if
    /// the server runs already.
    ///
    /// *Errors*: the host cannot listen at the address.
    pub fn launch(&self) -> io::Result<()> {
        if self.servers()[self.index].phase != Phase::Down {
            return Ok(());
        }
        let listener = self.host.listen(self.address)?;
        self.change(|server| {
            let then = match server.needs_recovery {
                true => After::Replay(Some(server.a_while(10, 40))),
                false => After::Ready,
            };
            let until = Some(Instant::now() + server.a_while(10, 30));
            server.phase = Phase::NotYet { why: NotNow::StartingUp, until, then };
        });
        let task = tokio::spawn(postmaster::run(self.host.clone(), listener, self.world.clone(), self.index));
        self.servers()[self.index].task = Some(task.abort_handle());
        Ok(())
    }

    /// Starts the server after a stop or a kill; returns once it accepts sign-ins.
    #[cfg(test)]
    pub async fn restart(&self) -> Result<(), ServerError> {
        self.launch().map_err(|error| ServerError::Control { doing: "start", reason: error.to_string() })?;
        self.ready().await
    }

    /// Waits until the server accepts sign-ins.
    ///
    /// *Errors*: it does not within [`PATIENCE`].
    pub async fn ready(&self) -> Result<(), ServerError> {
        self.until("start", PATIENCE, |server| server.phase == Phase::Ready).await
    }

    /// Requests a stop, and waits until the server has ended.
    ///
    /// *Errors*: after a smart request, a session stays open; or the server is frozen.
    pub async fn stop(&self, mode: StopMode) -> Result<(), ServerError> {
        self.request_stop(mode);
        self.ended(PATIENCE).await
    }

    /// Requests a stop, and does not wait. If a stop is in progress, only a more urgent mode has an effect.
    pub fn request_stop(&self, mode: StopMode) {
        self.change(|server| {
            let (word, ending) = match mode {
                StopMode::Smart => ("smart", None),
                StopMode::Fast => ("fast", Some(Ending::Terminated)),
                StopMode::Immediate => ("immediate", Some(Ending::Immediate)),
            };
            let before = match server.phase {
                Phase::Down => return,
                Phase::Stopping { mode, .. } => Some(mode),
                _ => None,
            };
            let urgency = |mode| StopMode::ALL.iter().position(|(_, known)| *known == mode);
            if before.is_some_and(|before| urgency(before) >= urgency(mode)) {
                return;
            }
            server.remark(format!("received {word} shutdown request"));
            // A server that stops before the end of crash recovery runs it again at the next start.
            server.needs_recovery |= mode == StopMode::Immediate || matches!(server.phase, Phase::NotYet { .. });
            server.phase = Phase::Stopping { mode, until: None };
            ending.iter().for_each(|ending| server.end_all(*ending));
            server.postmaster.notify_one();
        });
    }

    /// Waits until the server has ended, for any reason.
    ///
    /// *Errors*: it has not ended after `within`.
    pub async fn ended(&self, within: Duration) -> Result<(), ServerError> {
        self.until("stop", within, |server| server.phase == Phase::Down && server.task.is_none()).await
    }

    /// Kills the postmaster (SIGKILL); returns once it no longer listens and every session has ended.
    ///
    /// *Errors*: sessions remain after [`PATIENCE`].
    pub async fn kill(&self) -> Result<(), ServerError> {
        let gate = self.change(|server| {
            // SIGKILL also ends a frozen process; its children detect that once they are thawed.
            server.frozen = false;
            server.task.iter().for_each(|task| task.abort());
            server.needs_recovery = true;
            server.phase = Phase::Down;
            server.end_all(Ending::Orphaned);
            server.gate.clone()
        });
        gate.open();
        self.until("kill", PATIENCE, |server| server.task.is_none() && server.backends.is_empty()).await
    }

    /// Freezes every process of the server (SIGSTOP). Its host still accepts connections and acknowledges bytes.
    pub fn freeze(&self) {
        self.change(|server| {
            server.frozen = true;
            server.gate.close();
        });
    }

    /// Continues the processes that [`freeze`](Postgres::freeze) stopped (SIGCONT).
    pub fn thaw(&self) {
        let gate = self.change(|server| {
            server.frozen = false;
            server.gate.clone()
        });
        replicate_around(&mut self.servers(), self.index);
        gate.open();
        self.world.changed();
    }

    /// Returns once the server is not frozen: at once if it runs, otherwise when it is thawed.
    pub async fn turn(&self) {
        let gate = self.servers()[self.index].gate.clone();
        through(gate, std::future::ready(())).await;
    }
}
