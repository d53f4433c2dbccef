//! A server that takes no session without TLS.

use async_trait::async_trait;

use super::super::{Injection, LogWatch, NemesisError, decisive};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::files::write_hba_and_reload;

/// `pg_hba.conf` knows the client's role over TLS alone: 28000 for whoever comes without.
#[derive(Default)]
pub(crate) struct RequireTls {
    /// The rules to be put back.
    before: Option<String>,
    witness: LogWatch,
}

#[async_trait]
impl Injection for RequireTls {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let (before, rules) = environment.encryption()?.rules(environment.server()).await?;
        self.before = Some(before);
        Ok(write_hba_and_reload(&environment.server().superuser(), &rules).await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let Some(before) = self.before.take() else { return Ok(()) };
        Ok(write_hba_and_reload(&environment.server().superuser(), &before).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "28000").await?;
        Ok(vec![decisive("sign-ins refused with 28000", refused)])
    }
}
