//! A crash after which the server takes long to accept connections again.
//!
//! The recovery is real: a backend is killed inside a transaction of 50 MB, and the startup process is frozen as soon
//! as it appears, so that the server itself answers 57P03 for exactly as long as the scenario says. Killing a backend
//! works for a process and for a container; a restart would not.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::Readiness;

/// The backend of a large transaction is killed; recovery begins, and is held until heal.
#[derive(Default)]
pub(super) struct LongRecovery {
    log: LogWatch,
    sessions: usize,
}

#[async_trait]
impl Injection for LongRecovery {
    async fn arm(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.server().begin_large_transaction().await?)
    }

    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        self.sessions = environment.gateway.connections();
        Ok(environment.server().crash_into_recovery().await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.server().release_recovery().await?;
        Ok(environment.server().wait(Readiness::AcceptingQueries).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.log.count_errors(environment, "57P03").await?;
        Ok(vec![
            decisive("connections refused with 57P03", refused),
            supporting("sessions lost in the crash", self.sessions),
        ])
    }
}
