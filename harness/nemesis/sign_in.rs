//! Sign-ins that the server refuses because a role or database does not exist, LOGIN or CONNECT is not granted, or
//! the connection has no TLS.
//!
//! A wrong user or database is produced by renaming the right one. The client's own settings stay as they are, so
//! that they are right again after heal.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::control::{Admission, Denial};

/// Returns the SQLSTATE of the refusal. For a role that does not exist it is that of a wrong password: the server
/// does not reveal which of them is wrong.
fn sqlstate(denial: Denial) -> &'static str {
    match denial {
        Denial::Role => "28P01",
        Denial::Database => "3D000",
        Denial::Login => "28000",
        Denial::Connect => "42501",
    }
}

/// A denial until heal. The client's sessions are terminated, so that it has to sign in again.
pub(super) struct Denying {
    denial: Denial,
    ended: usize,
    log: LogWatch,
}

impl Denying {
    pub fn new(denial: Denial) -> Denying {
        Denying { denial, ended: 0, log: LogWatch::default() }
    }
}

#[async_trait]
impl Injection for Denying {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        self.ended = environment.server().deny(self.denial).await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.server().permit(self.denial).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let sqlstate = sqlstate(self.denial);
        let refused = self.log.count_errors(environment, sqlstate).await?;
        Ok(vec![
            decisive(&format!("sign-ins refused with {sqlstate}"), refused),
            supporting("sessions terminated", self.ended),
        ])
    }
}

/// `pg_hba.conf` admits the client's role only over TLS until heal; a sign-in without TLS gets 28000. Sessions stay.
#[derive(Default)]
pub(super) struct RequireTls {
    log: LogWatch,
}

#[async_trait]
impl Injection for RequireTls {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        let certificate = environment.layout.client_certificate;
        Ok(environment.server().admit(Admission::TlsOnly { certificate }).await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.server().admit(Admission::AsBefore).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.log.count_errors(environment, "28000").await?;
        Ok(vec![decisive("sign-ins refused with 28000", refused)])
    }
}
