//! Certificates that end, that are wrong, or that are replaced; and a server that takes no session without TLS.
//!
//! What shows that the client met one is in the server's log, which keeps a line for whoever came and one for whoever
//! was let in (`log_connections`): see `callers`.

mod callers;
mod expired;
mod misissued;
mod renewed;
mod required;

use std::time::SystemTime;

use async_trait::async_trait;
use tokio::time::sleep;

use self::expired::Expired;
use self::misissued::Misissued;
use self::renewed::Renewed;
pub(super) use self::required::RequireTls;
use super::{HasGateway, Injection, NemesisError};
use crate::credentials::certificate::Certificate;
use crate::environment::Environment;
use crate::environment::encryption::Certificates;
use crate::model::fault::{CertificateFault, Fault};
use crate::server::{LogLine, ServerError};

/// What a nemesis can do something to where all it needs is a server that speaks TLS.
#[async_trait]
pub(crate) trait Certified: HasGateway {
    /// The certificates of the run.
    fn certificates(&self) -> Result<&Certificates, ServerError>;

    /// Has the server show a certificate; returns once it does. Sessions that are open stay as they are.
    async fn serve(&self, certificate: &Certificate) -> Result<(), ServerError>;

    /// Puts the client's certificate on the server's list of revoked ones; returns once the list is in force.
    async fn revoke(&self) -> Result<(), ServerError>;

    /// Everything that the server has logged.
    async fn log(&self) -> Result<Vec<LogLine>, ServerError>;

    /// The client's role.
    fn role(&self) -> &str;
}

#[async_trait]
impl Certified for Environment {
    fn certificates(&self) -> Result<&Certificates, ServerError> {
        Ok(&self.encryption()?.certificates)
    }

    async fn serve(&self, certificate: &Certificate) -> Result<(), ServerError> {
        self.encryption()?.serve(self.server(), certificate).await
    }

    async fn revoke(&self) -> Result<(), ServerError> {
        self.encryption()?.revoke(self.server()).await
    }

    async fn log(&self) -> Result<Vec<LogLine>, ServerError> {
        self.server().log().await
    }

    fn role(&self) -> &str {
        &self.address.user
    }
}

/// What carries a fault out.
pub(crate) fn injection<E: Certified + ?Sized>(kind: CertificateFault, fault: &Fault) -> Box<dyn Injection<E>> {
    match kind {
        CertificateFault::ClientExpired | CertificateFault::ServerExpired => Box::new(Expired::new(kind, fault.at)),
        CertificateFault::Renewed => Box::<Renewed>::default(),
        CertificateFault::WrongHost
        | CertificateFault::WrongAuthority
        | CertificateFault::ClientUnknown
        | CertificateFault::ClientRevoked
        | CertificateFault::NotYetValid => Box::new(Misissued::new(kind, fault.lasts)),
    }
}

/// Waits until the clock on the wall, by which certificates are valid, has passed a time.
async fn pass<E: Certified + ?Sized>(environment: &E, time: SystemTime) -> Result<(), NemesisError> {
    let certificates = environment.certificates()?;
    if let Ok(left) = time.duration_since(certificates.now()) {
        sleep(left).await;
    }
    match time.duration_since(certificates.now()) {
        Ok(left) if !left.is_zero() => {
            Err(NemesisError::NotInForce(format!("the clock was set back by {}", crate::model::time::show(left))))
        }
        _ => Ok(()),
    }
}
