//! The server goes away, or stands still, and comes back.

use async_trait::async_trait;

use super::{Injection, NemesisError, Witness, decisive, supporting};
use crate::environment::server::Readiness;
use crate::environment::{Environment, START_PATIENCE};
use crate::fault::StopMode;
use crate::history::Evidence;

/// How the server is made to end.
#[derive(Clone, Copy)]
pub(super) enum End {
    Stop(StopMode),
    Kill,
}

/// A server that ends, is away for a while, and is started again on the same address.
pub(super) struct Restarting {
    end: End,
    witness: Witness,
    /// The client's connections at the moment of the end.
    sessions: usize,
    /// How a killed server's exit was seen.
    exit: Option<String>,
}

impl Restarting {
    pub fn new(end: End) -> Restarting {
        Restarting { end, witness: Witness::default(), sessions: 0, exit: None }
    }
}

#[async_trait]
impl Injection for Restarting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        self.sessions = environment.gateway.connections();
        match self.end {
            End::Stop(mode) => environment.server.stop(mode).await?,
            End::Kill => self.exit = Some(environment.server.kill().await?),
        }
        // Where nobody listens, a host refuses; until here the server spoke for itself (57P03 "shutting down").
        environment.gateway.refuse().await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.start_server().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let lost = decisive("sessions lost with the server", self.sessions);
        Ok(match (self.end, &self.exit) {
            (End::Kill, exit) => {
                let status = exit.as_deref().unwrap_or("not seen");
                vec![lost, supporting(&format!("server ended ({status})"), usize::from(exit.is_some()))]
            }
            (End::Stop(mode), _) => {
                let (request, what) = match mode {
                    StopMode::Smart => ("received smart shutdown request", "smart shutdown logged"),
                    StopMode::Fast => ("received fast shutdown request", "fast shutdown logged"),
                    StopMode::Immediate => ("received immediate shutdown request", "immediate shutdown logged"),
                };
                vec![lost, supporting(what, self.witness.said(environment, request).await?)]
            }
        })
    }
}

/// A server that stands still: connections are accepted by its kernel, and nothing answers.
#[derive(Default)]
pub(super) struct Freezing {
    sessions: usize,
}

#[async_trait]
impl Injection for Freezing {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.sessions = environment.gateway.connections();
        Ok(environment.server.pause().await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.server.resume().await?;
        Ok(environment.server.wait(Readiness::AcceptingQueries, START_PATIENCE).await?)
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![decisive("sessions frozen with the server", self.sessions)])
    }
}
