//! A server's certificate that is renewed in time, as it should be.
//!
//! The certificate is replaced, and its key stays: certificate and key are two files, and a server that reads them
//! between two writes would find a pair that does not match, which is another fault.

use async_trait::async_trait;

use super::super::{Injection, NemesisError, decisive, supporting};
use super::callers::Callers;
use crate::environment::Environment;
use crate::model::history::Evidence;

/// Another valid certificate is written and loaded. Open sessions must not notice; new sessions get the new
/// certificate.
#[derive(Default)]
pub(super) struct Renewed {
    served: bool,
    /// Number of the client's connections at that moment.
    sessions: usize,
    callers: Callers,
}

#[async_trait]
impl Injection for Renewed {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.sessions = environment.gateway.connections();
        environment.server().serve_certificate(&environment.certificates()?.sound()?).await?;
        self.served = true;
        self.callers.watch(environment).await
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![
            decisive("sessions that met the new certificate", self.callers.begun(environment).await?),
            supporting("new certificates seen at the server", usize::from(self.served)),
            supporting("sessions that were open meanwhile", self.sessions),
        ])
    }
}
