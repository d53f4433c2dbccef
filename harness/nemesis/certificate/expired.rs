//! A certificate that is good when the client starts, and ends while it works.
//!
//! A certificate expires by the wall clock. It is issued before the client starts, so it ends at the scenario's moment
//! plus some seconds for the launch; the fault waits until it has ended and only then cuts the connections, because
//! expiry itself ends no session.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::super::{Injection, NemesisError, supporting};
use super::callers::Callers;
use super::pass;
use crate::credentials::certificate::whole_second;
use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::fault::CertificateFault;
use crate::model::history::Evidence;

/// How long a client may take from its launch to its first successes, beyond what the scenario waits: the certificate
/// is issued before the launch, and must not end sooner. A runtime that loads itself takes two seconds on a busy
/// machine.
const LAUNCH: Duration = Duration::from_secs(4);

/// How much later than the time in it a certificate has ended for every library: some count the last second as valid.
///
/// *Source*: OpenSSL's `X509_cmp_time` (ends at that second), rustls-webpki's `Time` (ends after it).
const LAST_SECOND: Duration = Duration::from_secs(1);

/// The client's certificate, or the server's, expires; connections are cut once it has. Expiry itself ends no session.
pub(super) struct Expired {
    of: CertificateFault,
    /// How long after the client's start it is to come.
    at: Duration,
    end: SystemTime,
    cut: usize,
    callers: Callers,
}

impl Expired {
    pub fn new(of: CertificateFault, at: Duration) -> Expired {
        Expired { of, at, end: SystemTime::UNIX_EPOCH, cut: 0, callers: Callers::default() }
    }

    fn is_of_client(&self) -> bool {
        self.of == CertificateFault::ClientExpired
    }

    /// Puts a certificate in place that ends then.
    async fn replace(&self, environment: &Environment, end: SystemTime) -> Result<(), NemesisError> {
        let certificates = environment.certificates()?;
        if self.is_of_client() {
            certificates.give(certificates.for_client(&certificates.authority, end)?)?;
        } else {
            let certificate = certificates.for_server(&certificates.authority, &certificates.host, end)?;
            environment.server().serve_certificate(&certificate).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Injection for Expired {
    async fn arm(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.end = whole_second(environment.certificates()?.now() + self.at + LAUNCH);
        self.replace(environment, self.end).await
    }

    async fn approach(&mut self, environment: &Environment) {
        // Where the clock does not get there, the injection says so.
        let _ = pass(environment, self.end + LAST_SECOND).await;
    }

    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        pass(environment, self.end + LAST_SECOND).await?;
        self.callers.watch(environment).await?;
        self.cut = environment.gateway.cut(Cut::Reset).await;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let looked = self.callers.enough(environment).await;
        self.replace(environment, environment.certificates()?.usual_end()).await?;
        looked
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let mut found = match self.is_of_client() {
            true => self.callers.refused(environment).await?,
            false => self.callers.left(environment).await?,
        };
        found.push(supporting("sockets reset", self.cut));
        Ok(found)
    }
}
