//! TLS as in libpq's `sslmode`: `prefer` verifies nothing; `verify-full` verifies certificate and name, and presents a
//! client certificate if there is one.

#[cfg(feature = "tls")]
pub(super) use with::{Connector, Connectors, Handshake, handshake, is_certificate_error};
#[cfg(not(feature = "tls"))]
pub(super) use without::{Connector, Connectors, Handshake, handshake, is_certificate_error};

use tokio_postgres::config;

use crate::model::topology::SslMode;

/// The library's setting for a `sslmode`.
pub(super) fn ssl_mode(mode: SslMode) -> config::SslMode {
    match mode {
        SslMode::Disable => config::SslMode::Disable,
        SslMode::Prefer => config::SslMode::Prefer,
        SslMode::VerifyFull => config::SslMode::Require,
    }
}

#[cfg(feature = "tls")]
mod with {
    use parking_lot::Mutex;
    use std::error::Error;
    use std::io;
    use std::sync::{Arc, LazyLock};

    use rustls::crypto::{CryptoProvider, ring};
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{AlertDescription, ClientConfig, DEFAULT_VERSIONS, RootCertStore};
    use tokio_postgres::tls::MakeTlsConnect;
    use tokio_postgres_rustls::MakeRustlsConnect;

    use super::super::transport::Transport;
    use crate::credentials::address::{Address, TlsTexts};
    use crate::credentials::trust::AcceptAnyCertificate;
    use crate::credentials::wall_clock::WallClock;
    use crate::gateway::transport::Stream;
    use crate::model::history::{ErrorKind, OpError};

    pub type Connector = MakeRustlsConnect;

    /// The TLS handshake of one stream.
    pub type Handshake = <MakeRustlsConnect as MakeTlsConnect<Box<dyn Stream>>>::TlsConnect;

    static UNVERIFIED: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(AcceptAnyCertificate::new(Arc::clone(&provider)));
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(DEFAULT_VERSIONS)?;
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
    });

    /// Makes TLS connectors for new connections.
    pub struct Connectors {
        /// The clock for the validity of certificates.
        clock: WallClock,
        /// The first connector; `None` if certificates are read for every connection.
        cache: Option<Mutex<Option<Connector>>>,
    }

    impl Connectors {
        pub fn new(caches: bool, transport: &Transport) -> Connectors {
            Connectors { clock: transport.wall_clock(), cache: caches.then(Mutex::default) }
        }

        /// The connector for one connection. Reads the certificates each time, because they may have been renewed,
        /// unless they are cached.
        pub fn connector(&self, address: &Address) -> Result<Connector, OpError> {
            let cached = || self.cache.as_ref().map(|cached| cached.lock());
            if let Some(cached) = cached().and_then(|cached| cached.clone()) {
                return Ok(cached);
            }
            let Some(texts) = address.current_certificates()? else {
                let config = UNVERIFIED.as_ref().map_err(|error| OpError::new(ErrorKind::Other, error.to_string()))?;
                return Ok(MakeRustlsConnect::new(config.clone()));
            };
            let read = self.verifying_connector(&texts)?;
            match cached() {
                Some(mut cached) => Ok(cached.get_or_insert(read).clone()),
                None => Ok(read),
            }
        }

        fn verifying_connector(&self, texts: &TlsTexts) -> Result<Connector, OpError> {
            let mut roots = RootCertStore::empty();
            for root in CertificateDer::pem_slice_iter(texts.root.as_bytes()) {
                roots.add(root?)?;
            }
            let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
            let builder = ClientConfig::builder_with_details(provider, Arc::new(self.clock));
            let builder = builder.with_protocol_versions(DEFAULT_VERSIONS)?.with_root_certificates(roots);
            let config = match &texts.certificate {
                None => builder.with_no_client_auth(),
                Some((certificate, key)) => {
                    let chain =
                        CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>()?;
                    builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?
                }
            };
            Ok(MakeRustlsConnect::new(config))
        }
    }

    /// The TLS handshake on an existing stream to the server with this name.
    pub fn handshake(connector: &Connector, host: &str) -> Handshake {
        let Ok(handshake) = MakeTlsConnect::<Box<dyn Stream>>::make_tls_connect(&mut connector.clone(), host);
        handshake
    }

    /// Whether one side refused the other's certificate.
    pub fn is_certificate_error(error: &tokio_postgres::Error) -> bool {
        use AlertDescription::{
            AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
            CertificateUnknown, UnknownCA, UnsupportedCertificate,
        };
        let mut next = error.source();
        while let Some(cause) = next {
            // The source of an I/O error skips the error that it wraps, so that one is examined first.
            let carried = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            match carried.and_then(|carried| carried.downcast_ref::<rustls::Error>()) {
                Some(rustls::Error::InvalidCertificate(_)) => return true,
                Some(rustls::Error::AlertReceived(alert)) => {
                    return matches!(
                        alert,
                        AccessDenied
                            | BadCertificate
                            | CertificateExpired
                            | CertificateRequired
                            | CertificateRevoked
                            | CertificateUnknown
                            | UnknownCA
                            | UnsupportedCertificate
                    );
                }
                _ => next = cause.source(),
            }
        }
        false
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use tokio_postgres::NoTls;

    use super::super::plaintext::RequestOnly;
    use super::super::transport::Transport;
    use crate::credentials::address::Address;
    use crate::model::history::OpError;

    pub type Connector = NoTls;

    pub type Handshake = RequestOnly;

    /// A build without TLS: requests none on sockets of the operating system.
    pub struct Connectors;

    impl Connectors {
        pub fn new(_caches: bool, _way: &Transport) -> Connectors {
            Connectors
        }

        pub fn connector(&self, _address: &Address) -> Result<Connector, OpError> {
            Ok(NoTls)
        }
    }

    /// On a stream of a custom network, the library requests TLS but cannot use it.
    pub fn handshake(_connector: &Connector, _host: &str) -> Handshake {
        RequestOnly
    }

    pub fn is_certificate_error(_error: &tokio_postgres::Error) -> bool {
        false
    }
}
