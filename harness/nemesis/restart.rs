//! The server ends and is started again, or is frozen and thawed.

use async_trait::async_trait;

use super::middlebox::MiddleboxLog;
use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::fault::StopMode;
use crate::model::history::Evidence;
use crate::server::Readiness;

/// How the server ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    Stop(StopMode),
    Kill,
}

/// The server ends, and is started again on heal. Its address at the client stays the same.
pub(super) struct Restarting {
    end: End,
    log: LogWatch,
    /// Number of the client's connections before the end.
    sessions: usize,
    /// The exit status, in words, if the server was killed.
    exit: Option<String>,
    /// The log of the middlebox in the path.
    middlebox_log: MiddleboxLog,
}

impl Restarting {
    pub fn new(end: End) -> Restarting {
        Restarting { end, log: LogWatch::default(), sessions: 0, exit: None, middlebox_log: MiddleboxLog::default() }
    }
}

#[async_trait]
impl Injection for Restarting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        self.middlebox_log.start(environment)?;
        self.sessions = environment.gateway.connections();
        match self.end {
            End::Stop(mode) => environment.server().stop(mode).await?,
            End::Kill => self.exit = Some(environment.server().kill().await?),
        }
        // A host on which no server listens refuses connections; until here the server answered them itself (57P03
        // "shutting down").
        Ok(environment.refuse().await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        // Before `start_server`, which connects through the middlebox to see whether the server is back.
        self.middlebox_log.note_refusals(environment)?;
        Ok(environment.start_server().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let lost = match &environment.middlebox {
            None => vec![decisive("sessions lost with the server", self.sessions)],
            Some(middlebox) => vec![
                decisive(&format!("clients sent away by {}", middlebox.program()), self.middlebox_log.refusals),
                supporting("sessions open when the server went", self.sessions),
            ],
        };
        let seen = match (self.end, &self.exit) {
            (End::Kill, exit) => {
                let status = exit.as_deref().unwrap_or("not seen");
                supporting(&format!("server ended ({status})"), usize::from(exit.is_some()))
            }
            (End::Stop(mode), _) => {
                let (request, what) = match mode {
                    StopMode::Smart => ("received smart shutdown request", "smart shutdown logged"),
                    StopMode::Fast => ("received fast shutdown request", "fast shutdown logged"),
                    StopMode::Immediate => ("received immediate shutdown request", "immediate shutdown logged"),
                };
                supporting(what, self.log.count_text(environment, request).await?)
            }
        };
        Ok(lost.into_iter().chain([seen]).collect())
    }
}

/// The server's processes are frozen until heal: its kernel accepts connections, and nothing answers.
#[derive(Default)]
pub(super) struct Freezing {
    sessions: usize,
}

#[async_trait]
impl Injection for Freezing {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.sessions = environment.gateway.connections();
        Ok(environment.server().freeze().await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.server().thaw().await?;
        Ok(environment.server().wait(Readiness::AcceptingQueries).await?)
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![decisive("sessions frozen with the server", self.sessions)])
    }
}
