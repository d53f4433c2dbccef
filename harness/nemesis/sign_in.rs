//! Sign-ins that the server refuses because something does not exist or is not permitted: role, database, LOGIN, CONNECT;
//! or because they come without TLS.
//!
//! A wrong user or database is produced by renaming the right one. The client's own settings stay as they are, so that
//! it can work again after the heal.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::control::{Admission, Denial};

/// The SQLSTATE of the refusal.
fn sqlstate(denial: Denial) -> &'static str {
    match denial {
        Denial::Role => "28P01",
        Denial::Database => "3D000",
        Denial::Login => "28000",
        Denial::Connect => "42501",
    }
}

/// A denial until heal; the client's sessions are ended, so that it meets it.
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

/// `pg_hba.conf` admits the client's role over TLS alone: 28000 for a sign-in without.
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
