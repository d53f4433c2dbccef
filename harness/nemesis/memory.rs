//! A server that runs out of memory, in the way that its kind of server can produce: allocations fail, or the kernel
//! kills.

use async_trait::async_trait;

use super::crash::KILLED;
use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::{Readiness, Shortage};

/// If allocations fail, the client's sessions are terminated, because new ones cannot be set up (53200). If the
/// kernel kills, a query of the harness exceeds the memory, and the server drops every session.
#[derive(Default)]
pub(super) struct ExhaustingMemory {
    log: LogWatch,
    shortage: Option<Shortage>,
    /// Number of sessions terminated, or lost in the crash.
    sessions: usize,
}

#[async_trait]
impl Injection for ExhaustingMemory {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        let shortage = environment.server().squeeze_memory().await?;
        self.shortage = Some(shortage);
        match shortage {
            Shortage::Fails => {
                self.sessions = environment.server().terminate_sessions().await?;
                Ok(())
            }
            Shortage::Kills => {
                self.sessions = environment.gateway.connections();
                // The query gets no answer if the kernel kills its backend; the log shows whether it did.
                let answer = environment.server().exceed_memory().await;
                self.log.wait_for(environment, KILLED).await.map_err(|error| match answer {
                    Ok(()) => NemesisError::NotInForce("there was memory enough for every session".into()),
                    Err(_) => error,
                })
            }
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.server().release_memory().await?;
        Ok(environment.server().wait(Readiness::AcceptingQueries).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let killed = self.log.count_text(environment, KILLED).await?;
        Ok(match self.shortage {
            Some(Shortage::Kills) => vec![
                decisive("sessions lost in the crash", if killed > 0 { self.sessions } else { 0 }),
                supporting("processes killed by the kernel", killed),
                supporting("connections refused with 57P03", self.log.count_errors(environment, "57P03").await?),
            ],
            _ => vec![
                decisive("refusals with 53200", self.log.count_errors(environment, "53200").await?),
                supporting("sessions terminated", self.sessions),
            ],
        })
    }
}
