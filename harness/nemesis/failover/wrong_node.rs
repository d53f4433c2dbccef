//! An address that leads to the wrong server for a while.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::history::Evidence;
use crate::model::sqlstate::READ_ONLY;

/// The first address leads to the standby until heal, then to the primary again. Connections made meanwhile stay on
/// the standby.
#[derive(Default)]
pub(super) struct WrongNode {
    log: LogWatch,
    reset: usize,
    /// Number of connections open at heal, which stay on the standby.
    misled: usize,
}

#[async_trait]
impl Injection for WrongNode {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        let standby = environment.beside().ok_or_else(|| NemesisError::NotInForce("there is no standby".into()))?;
        environment.route_to(standby).await?;
        self.reset = environment.gateway.cut(Cut::Reset).await;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.misled = environment.gateway.connections();
        Ok(environment.follow_primary().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.log.count_errors(environment, READ_ONLY).await?;
        Ok(vec![
            decisive("statements refused with 25006", refused),
            supporting("sockets reset", self.reset),
            supporting("connections to the standby left open", self.misled),
        ])
    }
}
