//! A certificate that is valid when the client starts, and expires while the client works.
//!
//! A certificate expires by the wall clock. It is issued before the client starts, and expires at the scenario's time
//! plus some seconds for the launch. The fault waits for that, and only then cuts the connections, because expiry
//! itself ends no session.

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

/// Time for a client from its launch to its first successes: the certificate is issued before the launch, and must
/// not expire sooner. A runtime that loads itself takes two seconds on a busy machine.
const LAUNCH: Duration = Duration::from_secs(4);

/// Time after the end of validity at which every library rejects a certificate: some count the last second as valid.
///
/// *Source*: OpenSSL's `X509_cmp_time` (ends at that second), rustls-webpki's `Time` (ends after it).
const LAST_SECOND: Duration = Duration::from_secs(1);

/// Either the client's or the server's certificate expires; then every connection is reset.
pub(super) struct Expired {
    of: CertificateFault,
    /// Time of the fault, from the start of the workload.
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

    /// Issues a certificate that is valid until `end`, and puts it in place.
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
        // `inject` repeats the wait, and reports if the clock was set back.
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
