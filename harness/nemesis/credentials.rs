//! Passwords that the server no longer accepts.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::credentials;
use crate::environment::Environment;
use crate::model::history::Evidence;

/// The password at the server changes; the client's does not, as if it were mistyped: 28P01. Sessions stay.
#[derive(Default)]
pub(super) struct WrongPassword {
    log: LogWatch,
}

#[async_trait]
impl Injection for WrongPassword {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        Ok(environment.server().set_password(&format!("not-{}", environment.address.password)).await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.server().set_password(&environment.address.password).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.log.count_errors(environment, "28P01").await?;
        Ok(vec![decisive("sign-ins refused with 28P01", refused)])
    }
}

/// The password at the server changes for good, and every session of the client is terminated. The client can find
/// the new password only after heal.
#[derive(Default)]
pub(super) struct RotatingPassword {
    ended: usize,
    log: LogWatch,
}

/// Returns the password after the rotation, as hard to guess as the one before.
fn rotated(environment: &Environment) -> String {
    format!("{}-rotated", environment.address.password)
}

#[async_trait]
impl Injection for RotatingPassword {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        environment.server().set_password(&rotated(environment)).await?;
        // After the change, so that no session begins with the old password.
        self.ended = environment.server().terminate_sessions().await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let (address, new) = (&environment.address, rotated(environment));
        // The new password must work before the client can find it.
        environment.server().check_password(&new).await?;
        match (&address.password_file, &address.password_kept) {
            (Some(file), _) => credentials::write_password_file(file, &address.user, &new)
                .map_err(|error| NemesisError::NotInForce(format!("cannot write {}: {error}", file.display()))),
            (None, Some(kept)) => {
                kept.change(|password| *password = new);
                Ok(())
            }
            (None, None) => Err(NemesisError::NotInForce("the client has no password file".into())),
        }
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.log.count_errors(environment, "28P01").await?;
        Ok(vec![decisive("sign-ins refused with 28P01", refused), supporting("sessions terminated", self.ended)])
    }
}
