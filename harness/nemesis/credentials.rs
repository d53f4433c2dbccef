//! A password that the server no longer takes.

use async_trait::async_trait;

use super::{Injection, NemesisError, Witness, decisive};
use crate::environment::{Environment, preparation};
use crate::history::Evidence;

/// The server's idea of the password changes; the client's does not. On the wire this is a mistyped password: 28P01.
#[derive(Default)]
pub(super) struct WrongPassword {
    witness: Witness,
}

#[async_trait]
impl Injection for WrongPassword {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let session = environment.server().superuser().connect().await?;
        let other = format!("not-{}", environment.address.password);
        Ok(preparation::set_password(&session, preparation::ROLE, &other).await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let session = environment.server().superuser().connect().await?;
        Ok(preparation::set_password(&session, preparation::ROLE, &environment.address.password).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "28P01").await?;
        Ok(vec![decisive("sign-ins refused with 28P01", refused)])
    }
}
