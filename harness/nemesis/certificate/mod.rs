//! Certificates that end, that are wrong, or that are replaced.
//!
//! What shows that the client met one is in the server's log, which keeps a line for whoever came and one for whoever
//! was let in (`log_connections`): see `callers`.

mod callers;
mod expired;
mod misissued;
mod renewed;

use std::time::SystemTime;

use tokio::time::sleep;

use self::expired::Expired;
use self::misissued::Misissued;
use self::renewed::Renewed;
use super::{Injection, NemesisError};
use crate::environment::Environment;
use crate::model::fault::{CertificateFault, Fault};

/// What carries a fault out.
pub(crate) fn injection(kind: CertificateFault, fault: &Fault) -> Box<dyn Injection> {
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
async fn pass(environment: &Environment, time: SystemTime) -> Result<(), NemesisError> {
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
