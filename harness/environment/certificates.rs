//! The certificates of one run: their authority, those of server and client, and the place where the client reads its
//! TLS credentials.

use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use parking_lot::Mutex;

use crate::credentials;
use crate::credentials::address::{Address, TlsFiles};
#[cfg(feature = "simulation")]
use crate::credentials::address::{Rotating, TlsTexts};
use crate::credentials::certificate::{Authority, Certificate, Holder, Key, usual};
use crate::credentials::origin::Origin;
use crate::model::topology::{SslMode, TlsVersion};
use crate::server::ServerError;
use crate::server::bootstrap::ROLE;
use crate::server::control::TlsSetup;

/// The certificates of one run.
///
/// *Errors* of its methods: a certificate cannot be signed or stored, or the client has none.
pub(crate) struct Certificates {
    pub origin: Origin,
    /// The authority that server and client trust.
    pub authority: Authority,
    /// The host name in the server's certificate: the first host of the client's address.
    pub host: String,
    pub server: Key,
    client: Option<Client>,
    place: Place,
}

/// The client's key and certificate.
struct Client {
    key: Key,
    /// The certificate that the client reads now.
    shown: Mutex<Certificate>,
}

/// Where the client reads its TLS credentials.
enum Place {
    Files(TlsFiles),
    #[cfg(feature = "simulation")]
    Memory(Rotating<TlsTexts>),
}

impl Certificates {
    /// Creates certificates; stores those of the client in files in this folder. `for_client`: the client has its own.
    pub fn in_folder(folder: &Path, host: String, for_client: bool) -> Result<Certificates, ServerError> {
        let (certificate, key) = (folder.join("client.crt"), folder.join("client.key"));
        let files = TlsFiles { root: folder.join("root.crt"), certificate: for_client.then_some((certificate, key)) };
        let place = |authority: &Authority, client: Option<&Client>| {
            store(&files.root, &authority.certificate)?;
            if let (Some((certificate, key)), Some(client)) = (&files.certificate, client) {
                store(certificate, &client.shown().pem)?;
                store(key, &client.key.pem())?;
            }
            Ok(Place::Files(files.clone()))
        };
        Certificates::new(Origin::Machine, host, for_client, place)
    }

    /// Creates certificates that a simulated client reads from memory.
    #[cfg(feature = "simulation")]
    pub fn in_memory(origin: Origin, host: String, for_client: bool) -> Result<Certificates, ServerError> {
        Certificates::new(origin, host, for_client, |authority, client| {
            let certificate = client.map(|client| (client.shown().pem, client.key.pem()));
            Ok(Place::Memory(Rotating::new(TlsTexts { root: authority.certificate.clone(), certificate })))
        })
    }

    fn new(
        origin: Origin,
        host: String,
        for_client: bool,
        place: impl FnOnce(&Authority, Option<&Client>) -> Result<Place, ServerError>,
    ) -> Result<Certificates, ServerError> {
        let authority = Authority::new(origin, "authority").map_err(unsigned)?;
        let server = Key::new(origin, "server").map_err(unsigned)?;
        let client = match for_client {
            true => {
                let key = Key::new(origin, "client").map_err(unsigned)?;
                let shown = sign_for_client(&authority, &key, usual(origin))?;
                Some(Client { key, shown: Mutex::new(shown) })
            }
            false => None,
        };
        let place = place(&authority, client.as_ref())?;
        Ok(Certificates { origin, authority, host, server, client, place })
    }

    /// Returns the server's TLS setup for the beginning of a run. `sslmode`: of the client; with `verify-full`, the
    /// server requires TLS.
    pub fn setup(&self, version: TlsVersion, sslmode: SslMode) -> Result<TlsSetup, ServerError> {
        let clients = match self.is_for_client() {
            true => Some((self.authority.certificate.clone(), self.revoked(false)?)),
            false => None,
        };
        let (certificate, key, is_required) = (self.sound()?, self.server.pem(), sslmode == SslMode::VerifyFull);
        Ok(TlsSetup { version, certificate, key, clients, is_required })
    }

    /// Adds the place of the client's TLS credentials to its address.
    pub fn tell(&self, address: &mut Address) {
        match &self.place {
            Place::Files(files) => address.tls = Some(files.clone()),
            #[cfg(feature = "simulation")]
            Place::Memory(kept) => address.tls_kept = Some(kept.clone()),
        }
    }

    /// Returns whether the client has its own certificate.
    pub fn is_for_client(&self) -> bool {
        self.client.is_some()
    }

    /// Returns the current time of the clock by which certificates are checked.
    pub fn now(&self) -> SystemTime {
        self.origin.clock().now()
    }

    /// Returns when a sound certificate that is issued now expires.
    pub fn usual_end(&self) -> SystemTime {
        usual(self.origin).end
    }

    /// Creates an authority that neither server nor client trusts.
    pub fn stranger(&self) -> Result<Authority, ServerError> {
        Authority::new(self.origin, "stranger").map_err(unsigned)
    }

    /// Signs a certificate for the server's key that is valid now, until `until`.
    pub fn for_server(&self, by: &Authority, host: &str, until: SystemTime) -> Result<Certificate, ServerError> {
        self.for_server_from(by, host, usual(self.origin).start, until)
    }

    /// Signs a certificate for the server's key.
    pub fn for_server_from(
        &self,
        by: &Authority,
        host: &str,
        from: SystemTime,
        until: SystemTime,
    ) -> Result<Certificate, ServerError> {
        by.sign(&self.server, &Holder { name: host, hosts: &[host], valid: from..until }).map_err(unsigned)
    }

    /// Signs a sound certificate for the server.
    pub fn sound(&self) -> Result<Certificate, ServerError> {
        self.for_server(&self.authority, &self.host, self.usual_end())
    }

    /// Signs a certificate for the client's key that is valid now, until `until`.
    pub fn for_client(&self, by: &Authority, until: SystemTime) -> Result<Certificate, ServerError> {
        sign_for_client(by, &self.client()?.key, usual(self.origin).start..until)
    }

    /// Replaces the client's certificate where the client reads it. The key stays, so certificate and key always match.
    pub fn give(&self, certificate: Certificate) -> Result<(), ServerError> {
        let client = self.client()?;
        match &self.place {
            Place::Files(TlsFiles { certificate: Some((path, _)), .. }) => store(path, &certificate.pem)?,
            Place::Files(_) => {}
            #[cfg(feature = "simulation")]
            Place::Memory(kept) => kept.change(|texts| {
                let found = texts.certificate.iter_mut();
                found.for_each(|(shown, _)| shown.clone_from(&certificate.pem));
            }),
        }
        *client.shown.lock() = certificate;
        Ok(())
    }

    /// Returns the revocation list, in PEM: empty, or with the client's current certificate if `shown`.
    pub fn revoked(&self, shown: bool) -> Result<String, ServerError> {
        let shown = shown.then(|| self.client().map(Client::shown)).transpose()?;
        self.authority.revoke(&shown.iter().collect::<Vec<_>>()).map_err(unsigned)
    }

    fn client(&self) -> Result<&Client, ServerError> {
        self.client.as_ref().ok_or_else(|| ServerError::Control {
            doing: "replace a certificate of a client of",
            reason: "the client has no certificate".into(),
        })
    }
}

impl Client {
    fn shown(&self) -> Certificate {
        self.shown.lock().clone()
    }
}

/// Signs a client certificate with the role as common name. `cert` authentication would require this name; the
/// harness's own rules (`clientcert=verify-ca`) do not.
fn sign_for_client(by: &Authority, key: &Key, valid: Range<SystemTime>) -> Result<Certificate, ServerError> {
    by.sign(key, &Holder { name: ROLE, hosts: &[], valid }).map_err(unsigned)
}

fn store(path: &Path, text: &str) -> Result<(), ServerError> {
    credentials::replace(path, text).map_err(|source| ServerError::Folder {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}

/// Converts the error of a failed signature.
fn unsigned(error: rcgen::Error) -> ServerError {
    ServerError::Control { doing: "sign a certificate for", reason: error.to_string() }
}
