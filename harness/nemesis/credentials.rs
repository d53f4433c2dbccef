//! Passwords that the server no longer takes.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, sessions, supporting};
use crate::credentials;
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::bootstrap;

/// The server's idea of the password changes; the client's does not. On the wire this is a mistyped password: 28P01.
#[derive(Default)]
pub(super) struct WrongPassword {
    witness: LogWatch,
}

#[async_trait]
impl Injection for WrongPassword {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let session = environment.server().superuser().connect().await?;
        let other = format!("not-{}", environment.address.password);
        Ok(bootstrap::set_password(&session, bootstrap::ROLE, &other).await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let session = environment.server().superuser().connect().await?;
        Ok(bootstrap::set_password(&session, bootstrap::ROLE, &environment.address.password).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "28P01").await?;
        Ok(vec![decisive("sign-ins refused with 28P01", refused)])
    }
}

/// The password is changed for good and every session ended; where the client looks for it, the new one lies only once
/// this is healed.
pub(super) struct RotatingPassword {
    new: String,
    ended: usize,
    witness: LogWatch,
}

impl RotatingPassword {
    pub fn new() -> RotatingPassword {
        RotatingPassword { new: credentials::password(), ended: 0, witness: LogWatch::default() }
    }
}

#[async_trait]
impl Injection for RotatingPassword {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let session = environment.server().superuser().connect().await?;
        bootstrap::set_password(&session, bootstrap::ROLE, &self.new).await?;
        // Afterwards: whoever is ended cannot come in again with the old one.
        self.ended = sessions::terminate(&session, &[bootstrap::ROLE]).await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let Some(file) = &environment.address.password_file else {
            return Err(NemesisError::NotInForce("the client has no password file".into()));
        };
        // It must be right before the client is told of it.
        environment.server().superuser().in_role(bootstrap::ROLE, &self.new).connect().await?;
        credentials::write_password_file(file, &environment.address.user, &self.new)
            .map_err(|error| NemesisError::NotInForce(format!("{} cannot be written: {error}", file.display())))
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "28P01").await?;
        Ok(vec![decisive("sign-ins refused with 28P01", refused), supporting("sessions terminated", self.ended)])
    }
}
