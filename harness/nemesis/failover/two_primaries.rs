//! Two servers that accept writes as primary at the same time.
//!
//! The old primary still waits for its standby at every commit. Heal terminates the sessions that wait, instead of
//! ending their wait, because the server acknowledges a commit whose wait ends. Split brain therefore occurs only if
//! the client cancels the wait itself.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::gateway::Gateway;
use crate::model::history::Evidence;
use crate::model::topology::Host;

/// Part of the server's log line for a cancelled wait for the standby. The client's commit succeeds with a warning,
/// on this server only.
const CANCELLED: &str = "canceling wait for synchronous replication";

/// The standby is promoted while its primary goes on as before; heal makes the old primary read-only and terminates
/// its sessions.
#[derive(Default)]
pub(super) struct TwoPrimaries {
    log: LogWatch,
    /// Number of the client's connections to the old primary at the promotion.
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
