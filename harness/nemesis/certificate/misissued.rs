//! A certificate that is wrong from the injection on: the client cannot sign in on new connections until heal. Open
//! sessions live on.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::super::{Injection, NemesisError};
use super::callers::Callers;
use super::pass;
use crate::credentials::certificate::whole_second;
use crate::environment::Environment;
use crate::model::fault::CertificateFault;
use crate::model::history::Evidence;

/// A host to which no client connects; the name is reserved (RFC 6761).
const OTHER_HOST: &str = "other.invalid";

/// The other side must reject the server's, or the client's, certificate.
pub(super) struct Misissued {
    fault: CertificateFault,
    lasts: Duration,
    /// The start of validity, for a certificate that is not valid yet.
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
        let certificates = environment.certificates()?;
        let end = certificates.usual_end();
        let stranger = certificates.stranger()?;
        let own = &certificates.authority;
        match self.fault {
            CertificateFault::WrongHost => {
                environment.server().serve_certificate(&certificates.for_server(own, OTHER_HOST, end)?).await?;
            }
            CertificateFault::WrongAuthority => {
                environment
                    .server()
                    .serve_certificate(&certificates.for_server(&stranger, &certificates.host, end)?)
                    .await?;
            }
            CertificateFault::NotYetValid => {
                self.begin = whole_second(certificates.now() + self.lasts);
                let certificate = certificates.for_server_from(own, &certificates.host, self.begin, end)?;
                environment.server().serve_certificate(&certificate).await?;
            }
            CertificateFault::ClientUnknown => certificates.give(certificates.for_client(&stranger, end)?)?,
            CertificateFault::ClientRevoked => {
                environment.server().revoke_certificates(&certificates.revoked(true)?).await?
            }
            other => return Err(NemesisError::NotInForce(format!("{other:?} is no mistake in a certificate"))),
        }
        self.callers.watch(environment).await
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let certificates = environment.certificates()?;
        if self.fault == CertificateFault::NotYetValid {
            pass(environment, self.begin).await?;
            return self.callers.enough(environment).await;
        }
        let looked = self.callers.enough(environment).await;
        match self.fault.is_of_client() {
            // The new certificate has another serial number; the revoked one stays revoked.
            true => {
                let sound = certificates.for_client(&certificates.authority, certificates.usual_end())?;
                certificates.give(sound)?;
            }
            false => environment.server().serve_certificate(&certificates.sound()?).await?,
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
