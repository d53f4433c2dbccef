//! TLS as libpq's `sslmode` has it: `prefer` verifies nothing; `verify-full` verifies certificate and name, and shows a
//! certificate of its own where it has one.

#[cfg(feature = "tls")]
pub(super) use with::{Connector, Connectors, is_of_certificates};
#[cfg(not(feature = "tls"))]
pub(super) use without::{Connector, Connectors, is_of_certificates};

use tokio_postgres::config;

use crate::layout::SslMode;

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
    use tokio_postgres_rustls::MakeRustlsConnect;

    use crate::environment::address::{Address, TlsFiles};
    use crate::environment::identity::trust::Anybody;
    use crate::history::{ErrorKind, OpError};

    pub type Connector = MakeRustlsConnect;

    static TRUSTFUL: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
        let provider = Arc::new(ring::default_provider());
        let anybody = Arc::new(Anybody::new(Arc::clone(&provider)));
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(DEFAULT_VERSIONS)?;
        Ok(builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth())
    });

    /// How connections get their TLS.
    pub struct Connectors {
        /// What was read first, and is never read again.
        cache: Option<Mutex<Option<Connector>>>,
    }

    impl Connectors {
        pub fn new(caches: bool) -> Connectors {
            Connectors { cache: caches.then(Mutex::default) }
        }

        /// For one connection: from files that are read anew, since whoever renews a certificate tells nobody.
        pub fn connector(&self, address: &Address) -> Result<Connector, OpError> {
            let Some(files) = &address.tls else {
                let config = TRUSTFUL.as_ref().map_err(|error| OpError::new(ErrorKind::Other, error.to_string()))?;
                return Ok(MakeRustlsConnect::new(config.clone()));
            };
            let Some(cache) = &self.cache else { return verifying(files) };
            let mut kept = cache.lock().unwrap_or_else(PoisonError::into_inner);
            match kept.as_ref() {
                Some(kept) => Ok(kept.clone()),
                None => Ok(kept.insert(verifying(files)?).clone()),
            }
        }
    }

    fn verifying(files: &TlsFiles) -> Result<Connector, OpError> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(&files.root)? {
            roots.add(root?)?;
        }
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(DEFAULT_VERSIONS)?;
        let builder = builder.with_root_certificates(roots);
        let config = match &files.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key)?)?
            }
        };
        Ok(MakeRustlsConnect::new(config))
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

    use crate::environment::address::Address;
    use crate::history::OpError;

    pub type Connector = NoTls;

    /// This build has no TLS, and asks for none.
    pub struct Connectors;

    impl Connectors {
        pub fn new(_caches: bool) -> Connectors {
            Connectors
        }

        pub fn connector(&self, _address: &Address) -> Result<Connector, OpError> {
            Ok(NoTls)
        }
    }

    pub fn is_of_certificates(_error: &tokio_postgres::Error) -> bool {
        false
    }
}
