//! TLS as libpq's `sslmode` has it: `prefer` verifies nothing; `verify-full` verifies certificate and name, and shows a
//! certificate of its own where it has one.

#[cfg(feature = "tls")]
pub(super) use with::{Connector, Connectors, Handshake, handshake, is_of_certificates};
#[cfg(not(feature = "tls"))]
pub(super) use without::{Connector, Connectors, Handshake, handshake, is_of_certificates};

use tokio_postgres::config;

use crate::model::topology::SslMode;

/// Whether TLS is asked for, in the library's words.
pub(super) fn mode(mode: SslMode) -> config::SslMode {
    match mode {
        SslMode::Disable => config::SslMode::Disable,
        SslMode::Prefer => config::SslMode::Prefer,
        SslMode::VerifyFull => config::SslMode::Require,
    }
}

#[cfg(feature = "tls")]
mod with {
    use std::error::Error;
    use std::io;
    use std::sync::{Arc, LazyLock, Mutex, PoisonError};

    use rustls::crypto::{CryptoProvider, ring};
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{AlertDescription, ClientConfig, DEFAULT_VERSIONS, RootCertStore};
    use tokio_postgres::tls::MakeTlsConnect;
    use tokio_postgres_rustls::MakeRustlsConnect;

    use super::super::transport::Transport;
    use crate::credentials::address::{Address, TlsTexts};
    use crate::credentials::trust::Anybody;
    use crate::credentials::wall_clock::WallClock;
    use crate::gateway::transport::Stream;
    use crate::model::history::{ErrorKind, OpError};

    pub type Connector = MakeRustlsConnect;

    /// What a connector makes of one stream.
    pub type Handshake = <MakeRustlsConnect as MakeTlsConnect<Box<dyn Stream>>>::TlsConnect;

    static TRUSTFUL: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
        let provider = Arc::new(ring::default_provider());
        let anybody = Arc::new(Anybody::new(Arc::clone(&provider)));
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(DEFAULT_VERSIONS)?;
        Ok(builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth())
    });

    /// How connections get their TLS.
    pub struct Connectors {
        /// By which certificates are valid.
        clock: WallClock,
        /// What was read first, and is never read again.
        cache: Option<Mutex<Option<Connector>>>,
    }

    impl Connectors {
        pub fn new(caches: bool, way: &Transport) -> Connectors {
            Connectors { clock: way.wall_clock(), cache: caches.then(Mutex::default) }
        }

        /// For one connection: from what is read anew, since whoever renews a certificate tells nobody.
        pub fn connector(&self, address: &Address) -> Result<Connector, OpError> {
            let kept = || self.cache.as_ref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some(kept) = kept().and_then(|kept| kept.clone()) {
                return Ok(kept);
            }
            let Some(texts) = address.current_certificates()? else {
                let config = TRUSTFUL.as_ref().map_err(|error| OpError::new(ErrorKind::Other, error.to_string()))?;
                return Ok(MakeRustlsConnect::new(config.clone()));
            };
            let read = self.verifying(&texts)?;
            match kept() {
                Some(mut kept) => Ok(kept.get_or_insert(read).clone()),
                None => Ok(read),
            }
        }

        fn verifying(&self, texts: &TlsTexts) -> Result<Connector, OpError> {
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

    /// TLS on a stream that is there already, to a server that is found under this name.
    pub fn handshake(connector: &Connector, host: &str) -> Handshake {
        let Ok(handshake) = MakeTlsConnect::<Box<dyn Stream>>::make_tls_connect(&mut connector.clone(), host);
        handshake
    }

    /// Whether one side has refused the other's certificate.
    pub fn is_of_certificates(error: &tokio_postgres::Error) -> bool {
        use AlertDescription::{
            AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
            CertificateUnknown, UnknownCA, UnsupportedCertificate,
        };
        let mut next = error.source();
        while let Some(cause) = next {
            // An I/O error names the source of what it carries, and not that itself.
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

    use super::super::plaintext::AsksOnly;
    use super::super::transport::Transport;
    use crate::credentials::address::Address;
    use crate::model::history::OpError;

    pub type Connector = NoTls;

    pub type Handshake = AsksOnly;

    /// This build has no TLS, and asks for none.
    pub struct Connectors;

    impl Connectors {
        pub fn new(_caches: bool, _way: &Transport) -> Connectors {
            Connectors
        }

        pub fn connector(&self, _address: &Address) -> Result<Connector, OpError> {
            Ok(NoTls)
        }
    }

    /// On a stream that is there already, TLS is at least asked for.
    pub fn handshake(_connector: &Connector, _host: &str) -> Handshake {
        AsksOnly
    }

    pub fn is_of_certificates(_error: &tokio_postgres::Error) -> bool {
        false
    }
}
