//! Certificates in a simulation: their client finds them in memory, and they are valid by the clock of virtual time.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::world::World;
use crate::credentials::certificate::Certificate;
use crate::credentials::origin::Origin;
use crate::environment::encryption::Certificates;
use crate::model::topology::{SslMode, TlsVersion, Topology};
use crate::nemesis::Certified;
use crate::server::{LogLine, ServerError};
use crate::simnet::SimHost;
use crate::simpg::{Admission, Clients, Postgres, Tls};

/// What the server speaks TLS with.
pub(super) struct Encryption {
    pub certificates: Certificates,
    /// The server's files, as they lie there.
    files: Mutex<Tls>,
}

impl Encryption {
    /// Makes a server speak TLS. `host`: whom the client finds at its address.
    pub fn create(
        server: &Postgres<SimHost>,
        (version, layout): (TlsVersion, &Topology),
        host: String,
        origin: Origin,
    ) -> Result<Encryption, ServerError> {
        let certificates = Certificates::in_memory(origin, host, layout.client_certificate)?;
        let clients = match layout.client_certificate {
            true => {
                let authority = certificates.authority.certificate.clone();
                Some(Clients { authority, revoked: certificates.revoked(false)? })
            }
            false => None,
        };
        let (certificate, key) = (certificates.sound()?.pem, certificates.server.pem());
        let tls = Tls { version, clock: origin.clock(), certificate, key, clients };
        server.load(&tls)?;
        if layout.sslmode == SslMode::VerifyFull {
            server.admit(Admission::TlsOnly { certificate: layout.client_certificate });
        }
        Ok(Encryption { certificates, files: Mutex::new(tls) })
    }

    /// Changes the server's files, and has it load them.
    fn reload(&self, server: &Postgres<SimHost>, change: impl FnOnce(&mut Tls)) -> Result<(), ServerError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut files);
        server.load(&files)
    }
}

#[async_trait]
impl Certified for World {
    fn certificates(&self) -> Result<&Certificates, ServerError> {
        Ok(&self.encryption()?.certificates)
    }

    async fn serve(&self, certificate: &Certificate) -> Result<(), ServerError> {
        self.encryption()?.reload(self.server(), |files| files.certificate.clone_from(&certificate.pem))
    }

    async fn revoke(&self) -> Result<(), ServerError> {
        let list = self.certificates()?.revoked(true)?;
        let revoke = |files: &mut Tls| files.clients.iter_mut().for_each(|clients| clients.revoked.clone_from(&list));
        self.encryption()?.reload(self.server(), revoke)
    }

    async fn log(&self) -> Result<Vec<LogLine>, ServerError> {
        Ok(self.server().log(0))
    }

    fn role(&self) -> &str {
        &self.address.user
    }
}
