//! A certificate with which something is wrong from the start: until somebody repairs it, no handshake succeeds.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::super::{Injection, NemesisError};
use super::callers::Callers;
use super::pass;
use crate::environment::Environment;
use crate::environment::encryption::unsigned;
use crate::environment::identity::certificate::{Authority, usual, whole_second};
use crate::fault::CertificateFault;
use crate::history::Evidence;

/// A host that no client here asks for; the name is nobody's (RFC 6761).
const OTHER_HOST: &str = "other.invalid";

/// The server's certificate, or the client's, is not what the other side wants.
pub(super) struct Misissued {
    fault: CertificateFault,
    lasts: Duration,
    /// From when a certificate is valid that is not valid yet.
    begin: SystemTime,
    callers: Callers,
}

impl Misissued {
    pub fn new(fault: CertificateFault, lasts: Duration) -> Misissued {
        Misissued { fault, lasts, begin: SystemTime::UNIX_EPOCH, callers: Callers::default() }
    }
}

#[async_trait]
impl Injection for Misissued {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let (encryption, server) = (environment.encryption()?, environment.server());
        let end = usual().end;
        let stranger = Authority::new().map_err(unsigned)?;
        let own = &encryption.authority;
        match self.fault {
            CertificateFault::WrongHost => {
                encryption.serve(server, &encryption.for_server(own, OTHER_HOST, end)?).await?;
            }
            CertificateFault::WrongAuthority => {
                encryption.serve(server, &encryption.for_server(&stranger, &encryption.host, end)?).await?;
            }
            CertificateFault::NotYetValid => {
                self.begin = whole_second(SystemTime::now() + self.lasts);
                let certificate = encryption.for_server_from(own, &encryption.host, self.begin, end)?;
                encryption.serve(server, &certificate).await?;
            }
            CertificateFault::ClientUnknown => encryption.give(encryption.for_client(&stranger, end)?)?,
            CertificateFault::ClientRevoked => encryption.revoke(server).await?,
            other => return Err(NemesisError::NotInForce(format!("{other:?} is no mistake in a certificate"))),
        }
        self.callers.watch(environment).await
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let encryption = environment.encryption()?;
        let (own, end) = (&encryption.authority, usual().end);
        if self.fault == CertificateFault::NotYetValid {
            pass(self.begin).await?;
            return self.callers.enough(environment).await;
        }
        let looked = self.callers.enough(environment).await;
        match self.fault.is_of_client() {
            // Another serial: the revoked one stays revoked.
            true => encryption.give(encryption.for_client(own, end)?)?,
            false => {
                encryption.serve(environment.server(), &encryption.for_server(own, &encryption.host, end)?).await?
            }
        }
        looked
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        match self.fault.is_of_client() {
            true => self.callers.refused(environment).await,
            false => self.callers.left(environment).await,
        }
    }
}
