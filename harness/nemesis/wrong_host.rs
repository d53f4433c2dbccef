//! A name of a host that does not resolve: a mistake in what the client was given, which nobody mends while it runs.

use async_trait::async_trait;

use super::{Injection, NemesisError, supporting};
use crate::environment::{Environment, resolution};
use crate::model::history::Evidence;

/// Nothing is done: the client was given the name. What there is to see is that the name leads nowhere.
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
        // That the client met it, its operations show.
        Ok(vec![supporting("look-ups of the harness's own that found nothing", self.lookups)])
    }
}
