//! A host name that does not resolve: a mistake in the client's configuration, which stays for the whole run.

use async_trait::async_trait;

use super::{Injection, NemesisError, supporting};
use crate::environment::{Environment, resolution};
use crate::model::history::Evidence;

/// Injects nothing, because the client was given the wrong name at its start; a look-up of the harness shows that it
/// does not resolve.
#[derive(Default)]
pub(super) struct WrongHost {
    lookups: usize,
}

#[async_trait]
impl Injection for WrongHost {
    async fn inject(&mut self, _environment: &Environment) -> Result<(), NemesisError> {
        resolution::leads_nowhere().await.map_err(NemesisError::NotInForce)?;
        self.lookups += 1;
        Ok(())
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        // The client's operations show whether the fault affected it.
        Ok(vec![supporting("look-ups of the harness's own that found nothing", self.lookups)])
    }
}
