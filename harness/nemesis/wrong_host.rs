//! A host name that does not resolve: a mistake in the client's configuration, which stays while it runs.

use async_trait::async_trait;

use super::{Injection, NemesisError, supporting};
use crate::environment::{Environment, resolution};
use crate::model::history::Evidence;

/// Injects nothing, because the client was given the name; a look-up shows that the name leads nowhere.
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
        // Its operations show whether the client met it.
        Ok(vec![supporting("look-ups of the harness's own that found nothing", self.lookups)])
    }
}
