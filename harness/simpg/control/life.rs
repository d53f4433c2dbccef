//! Stopped, started, killed, frozen.

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
    /// Listens again, where it listened before; sign-ins are refused until it is ready. Does nothing where it runs.
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

    /// Starts it again after a stop or a kill; returns once it lets clients in.
    #[cfg(test)]
    pub async fn restart(&self) -> Result<(), ServerError> {
        self.launch().map_err(|error| ServerError::Control { doing: "start", reason: error.to_string() })?;
        self.ready().await
    }

    /// Waits until it lets clients in.
    pub async fn ready(&self) -> Result<(), ServerError> {
        self.until("start", PATIENCE, |server| server.phase == Phase::Ready).await
    }

    /// Requests a stop, and waits until it has ended.
    ///
    /// *Errors*: a session stays, after a smart request; it is frozen.
    pub async fn stop(&self, mode: StopMode) -> Result<(), ServerError> {
        self.request_stop(mode);
        self.ended(PATIENCE).await
    }

    /// Requests a stop, and does not wait. A request that is more urgent overtakes one that is less.
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
            // A server that stops before recovery is done recovers the next time.
            server.needs_recovery |= mode == StopMode::Immediate || matches!(server.phase, Phase::NotYet { .. });
            server.phase = Phase::Stopping { mode, until: None };
            ending.iter().for_each(|ending| server.end_all(*ending));
            server.postmaster.notify_one();
        });
    }

    /// Waits until it has ended, by any cause.
    pub async fn ended(&self, within: Duration) -> Result<(), ServerError> {
        self.until("stop", within, |server| server.phase == Phase::Down && server.task.is_none()).await
    }

    /// Kills its postmaster (SIGKILL); returns once it no longer listens and every session has noticed.
    pub async fn kill(&self) -> Result<(), ServerError> {
        let gate = self.change(|server| {
            // A process that stands still dies of SIGKILL as well; its children are orphans when they wake up.
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

    /// Freezes every process of it (SIGSTOP). Its host goes on accepting and acknowledging.
    pub fn freeze(&self) {
        self.change(|server| {
            server.frozen = true;
            server.gate.close();
        });
    }

    /// Thaws what [`freeze`](Postgres::freeze) froze.
    pub fn thaw(&self) {
        let gate = self.change(|server| {
            server.frozen = false;
            server.gate.clone()
        });
        replicate_around(&mut self.servers(), self.index);
        gate.open();
        self.world.changed();
    }

    /// Waits until it would answer a query: at once, unless it is frozen.
    pub async fn turn(&self) {
        let gate = self.servers()[self.index].gate.clone();
        through(gate, std::future::ready(())).await;
    }
}
