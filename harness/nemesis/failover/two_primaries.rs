//! Two servers that both believe to be the primary, for a while.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::model::topology::Host;

/// What the server logs where somebody cancels a wait for the standby. The client is told that its write succeeded,
/// with a warning: it is on this server alone.
const CANCELLED: &str = "canceling wait for synchronous replication";

/// The standby is promoted beside its primary, which goes on as before; on heal that is fenced.
#[derive(Default)]
pub(super) struct TwoPrimaries {
    witness: LogWatch,
    /// The client's connections to the old primary at the promotion.
    sessions: usize,
    unconfirmed: usize,
}

#[async_trait]
impl Injection for TwoPrimaries {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        self.sessions = environment.door(Host::Primary).map_or(0, |door| door.connections());
        Ok(environment.promote_standby().await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.unconfirmed = environment.fence_old_primary().await?;
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let cancelled = self.witness.said(environment, CANCELLED).await?;
        Ok(vec![
            decisive("commits that nobody confirmed", self.unconfirmed + cancelled),
            supporting("of these waits cancelled by the client", cancelled),
            supporting("sessions on the old primary at the promotion", self.sessions),
        ])
    }
}
