//! A server that runs out of memory, in the way in which that can be produced: allocations fail, or the kernel kills.

use async_trait::async_trait;

use super::crash::KILLED;
use super::sessions::terminate;
use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::{Environment, START_PATIENCE};
use crate::model::history::Evidence;
use crate::server::{Readiness, Shortage};

/// Asks for far more than a container may have then, and touches all of it within a moment.
const HUNGRY: &str = "SELECT length(repeat('x', 900000000))";

/// Where allocations fail, the client's sessions are ended, so that it needs new ones, which cannot be set up (53200).
/// Where the kernel kills, a hungry query of somebody else's makes it do so, and the server drops every session.
#[derive(Default)]
pub(super) struct ExhaustingMemory {
    witness: LogWatch,
    shortage: Option<Shortage>,
    /// Ended by us, or lost in the crash.
    sessions: usize,
}

#[async_trait]
impl Injection for ExhaustingMemory {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        // Open before memory is short.
        let session = environment.server().superuser().connect().await?;
        let shortage = environment.server().squeeze_memory().await?;
        self.shortage = Some(shortage);
        match shortage {
            Shortage::Fails => {
                self.sessions = terminate(&session, &[&environment.address.user]).await?;
                Ok(())
            }
            Shortage::Kills => {
                self.sessions = environment.gateway.connections();
                // It does not live to see the answer; what the log says is what counts.
                let answer = session.batch(HUNGRY).await;
                self.witness.hear(environment, KILLED).await.map_err(|error| match answer {
                    Ok(()) => NemesisError::NotInForce("there was memory enough for everybody".into()),
                    Err(_) => error,
                })
            }
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.server().release_memory().await?;
        Ok(environment.server().wait(Readiness::AcceptingQueries, START_PATIENCE).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let killed = self.witness.said(environment, KILLED).await?;
        Ok(match self.shortage {
            Some(Shortage::Kills) => vec![
                decisive("sessions lost in the crash", if killed > 0 { self.sessions } else { 0 }),
                supporting("processes killed by the kernel", killed),
                supporting("connections refused with 57P03", self.witness.refused(environment, "57P03").await?),
            ],
            _ => vec![
                decisive("refusals with 53200", self.witness.refused(environment, "53200").await?),
                supporting("sessions terminated", self.sessions),
            ],
        })
    }
}
