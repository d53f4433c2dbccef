//! Certificates that expire, that are wrong, or that are renewed.
//!
//! Evidence is in the server's log, which has a line for each connection that is received and one for each that is
//! authorized (`log_connections`): see `callers`.

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

/// Returns how a fault of certificates is carried out.
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

/// Waits until the wall clock, by which certificates are valid, has reached a time.
///
/// *Errors*: the clock was set back meanwhile.
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
