//! Two servers that both believe to be the primary, for a while.
//!
//! The old primary still waits for its standby at every commit. On heal such waits are ended, never released, because a
//! released wait is an acknowledgement. Only a client that cancels the wait itself produces split brain.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::gateway::Gateway;
use crate::model::history::Evidence;
use crate::model::topology::Host;

/// The server's log line for a cancelled wait for the standby. Its client gets a success with a warning: the write is on
/// this server alone.
const CANCELLED: &str = "canceling wait for synchronous replication";

/// The standby is promoted beside its primary, which goes on as before; on heal that is fenced.
#[derive(Default)]
pub(super) struct TwoPrimaries {
    log: LogWatch,
    /// The client's connections to the old primary at the promotion.
    sessions: usize,
    unconfirmed: usize,
}

#[async_trait]
impl Injection for TwoPrimaries {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        self.sessions = environment.gateway_of(Host::Primary).map_or(0, Gateway::connections);
        Ok(environment.promote_standby().await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        if let Some(old) = environment.beside() {
            self.unconfirmed = old.fence().await?;
        }
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let cancelled = self.log.count_text(environment, CANCELLED).await?;
        Ok(vec![
            decisive("commits that nobody confirmed", self.unconfirmed + cancelled),
            supporting("of these waits cancelled by the client", cancelled),
            supporting("sessions on the old primary at the promotion", self.sessions),
        ])
    }
}
