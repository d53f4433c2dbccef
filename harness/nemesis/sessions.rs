//! Sessions ended by an administrator, connection slots taken by others, and a limit on a role's sessions.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;

/// `pg_terminate_backend` on every session of the client.
#[derive(Default)]
pub(super) struct Terminating {
    ended: usize,
}

#[async_trait]
impl Injection for Terminating {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.ended = environment.server().terminate_sessions().await?;
        Ok(())
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![decisive("sessions terminated", self.ended)])
    }
}

/// The client's sessions are terminated while other sessions take every slot for ordinary roles, and perhaps those
/// reserved for superusers. Without any free slot the server refuses with "sorry, too many clients already" before
/// authentication; with reserved ones free, it authenticates first, and then names the roles that they are reserved
/// for.
pub(super) struct Exhausting {
    takes_reserved: bool,
    ended: usize,
    log: LogWatch,
}

impl Exhausting {
    /// `takes_reserved`: whether to take the slots reserved for superusers too.
    pub fn new(takes_reserved: bool) -> Exhausting {
        Exhausting { takes_reserved, ended: 0, log: LogWatch::default() }
    }
}

#[async_trait]
impl Injection for Exhausting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        self.ended = environment.server().take_slots(self.takes_reserved).await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.server().give_back_slots().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.log.count_errors(environment, "53300").await?;
        Ok(vec![decisive("connections refused with 53300", refused), supporting("sessions terminated", self.ended)])
    }
}

/// The client's role may have no session until heal, and its open ones are terminated, because a limit only concerns
/// new sessions.
///
/// The limit is zero, because with a higher one the client would get some sessions back.
#[derive(Default)]
pub(super) struct LimitingRole {
    ended: usize,
    log: LogWatch,
}

#[async_trait]
impl Injection for LimitingRole {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        environment.server().limit_role(Some(0)).await?;
        // A sign-in under way may not have seen the limit, so sessions are terminated until there is none.
        self.ended = environment.server().clear_sessions().await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.server().limit_role(None).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.log.count_errors(environment, "53300").await?;
        Ok(vec![decisive("connections refused with 53300", refused), supporting("sessions terminated", self.ended)])
    }
}
