//! TLS of the simulated server: rustls on simulated streams, with the clock of virtual time.
//!
//! Log lines are those of the real server, with OpenSSL's error texts. Channel binding and session resumption are not
//! offered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ProtocolVersion, RootCertStore, ServerConfig};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::postmaster::NOBODY_YET;
use super::serving::Serving;
use super::session::End;
use super::sign_in::AUTHENTICATION_TIMEOUT;
use crate::credentials::wall_clock::WallClock;
use crate::gateway::transport::Leg;
use crate::model::topology::TlsVersion;

/// The TLS configuration of a server: its files and settings.
pub(crate) struct Tls {
    pub version: TlsVersion,
    /// The clock for the validity of client certificates.
    pub clock: WallClock,
    /// The server's certificate and key, in PEM.
    pub certificate: String,
    pub key: String,
    /// Verification of client certificates; `None`: none are requested.
    pub clients: Option<Clients>,
}

/// The certificates that clients may present.
pub(crate) struct Clients {
    /// The issuing authority and its revocation list, in PEM.
    pub authority: String,
    pub revoked: String,
}

/// A loaded configuration, used by connections that begin from now on.
#[derive(Clone)]
pub(super) struct Acceptor(TlsAcceptor);

impl Tls {
    /// Loads the files.
    ///
    /// *Errors*: the reason why a file cannot be used.
    pub(super) fn load(&self) -> Result<Acceptor, String> {
        let said = |error: rustls::Error| error.to_string();
        let unread = |error: rustls::pki_types::pem::Error| error.to_string();
        let provider = Arc::new(ring::default_provider());
        let version = match self.version {
            TlsVersion::V12 => &TLS12,
            TlsVersion::V13 => &TLS13,
        };
        let verifier = match &self.clients {
            Some(clients) => clients.verifier()?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let chain: Vec<_> = certificates(&self.certificate).map_err(unread)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(unread)?;
        let builder = ServerConfig::builder_with_details(provider, Arc::new(self.clock));
        let builder = builder.with_protocol_versions(&[version]).map_err(said)?;
        let mut config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key).map_err(said)?;
        // Postgres does not resume sessions (`be_tls_init`).
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Acceptor(Arc::new(config).into()))
    }
}

impl Clients {
    /// A verifier of optional client certificates, because `pg_hba.conf` decides whether one is required.
    ///
    /// *Errors*: the authority or the revocation list cannot be parsed.
    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, String> {
        let mut roots = RootCertStore::empty();
        for root in certificates(&self.authority).map_err(|error| error.to_string())? {
            roots.add(root).map_err(|error| error.to_string())?;
        }
        let revoked = CertificateRevocationListDer::from_pem_slice(self.revoked.as_bytes());
        let revoked = revoked.map_err(|error| error.to_string())?;
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
            .with_crls([revoked])
            .allow_unauthenticated()
            .build()
            .map_err(|error| error.to_string())
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect()
}

/// The TLS parameters of a connection.
#[derive(Clone, Copy)]
pub(super) struct Encrypted {
    /// The version, in OpenSSL's words.
    pub protocol: &'static str,
    /// Whether the client has presented a valid certificate.
    pub with_certificate: bool,
}

impl Encrypted {
    fn of<S>(stream: &TlsStream<S>) -> Encrypted {
        let connection = stream.get_ref().1;
        let protocol = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        };
        Encrypted { protocol, with_certificate: connection.peer_certificates().is_some() }
    }
}

impl<S: Leg> Leg for TlsStream<S> {
    fn cut_off(&mut self) -> io::Result<()> {
        self.get_mut().0.cut_off()
    }
}

impl<S: Leg> Serving<S> {
    /// Performs the handshake, then serves the client. A failed handshake is logged.
    pub async fn encrypt(self, acceptor: Acceptor, peer: SocketAddr) {
        let Serving { socket, input, mut session, .. } = self;
        let mailbox = session.mailbox.clone();
        let handshake = acceptor.0.accept(socket).into_fallible();
        let done = tokio::select! {
            biased;
            _ = mailbox.ended() => return,
            done = timeout(AUTHENTICATION_TIMEOUT, handshake) => done,
        };
        match done {
            Ok(Ok(socket)) => {
                let encrypted = Some(Encrypted::of(&socket));
                Serving { socket, input, session, encrypted }.serve(peer).await;
            }
            Ok(Err((error, socket))) => {
                let text = format!("could not accept SSL connection: {}", why(&error));
                session.world.lock()[session.index].note(session.pid, NOBODY_YET, "08P01", &text);
                session.out.clear();
                Serving { socket, input, session, encrypted: None }.finish(End::Silent).await;
            }
            Err(_elapsed) => {}
        }
    }
}

/// The reason of a failed handshake, in the words of OpenSSL 3.0 for the cases observed there.
fn why(error: &io::Error) -> String {
    use AlertDescription::{BadCertificate, CertificateExpired, CertificateRevoked, CertificateUnknown, UnknownCA};
    match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => "certificate verify failed".into(),
        Some(rustls::Error::AlertReceived(alert)) => match alert {
            BadCertificate => "sslv3 alert bad certificate".into(),
            CertificateExpired => "sslv3 alert certificate expired".into(),
            CertificateRevoked => "sslv3 alert certificate revoked".into(),
            CertificateUnknown => "sslv3 alert certificate unknown".into(),
            UnknownCA => "tlsv1 alert unknown ca".into(),
            other => format!("alert {other:?}"),
        },
        Some(other) => other.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "EOF detected".into(),
        None => error.to_string(),
    }
}
