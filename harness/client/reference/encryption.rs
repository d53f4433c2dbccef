//! TLS as libpq's `sslmode=prefer` does it: asked for, used where the server has it, and no certificate verified.

#[cfg(feature = "tls")]
pub(super) use with::connector;
#[cfg(not(feature = "tls"))]
pub(super) use without::connector;

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
    use std::sync::{Arc, LazyLock};

    use rustls::crypto::ring;
    use rustls::{ClientConfig, DEFAULT_VERSIONS};
    use tokio_postgres_rustls::MakeRustlsConnect;

    use crate::environment::address::Address;
    use crate::environment::identity::trust::Anybody;
    use crate::history::{ErrorKind, OpError};

    static CONFIG: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
        let provider = Arc::new(ring::default_provider());
        let anybody = Arc::new(Anybody::new(Arc::clone(&provider)));
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(DEFAULT_VERSIONS)?;
        Ok(builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth())
    });

    pub fn connector(_address: &Address) -> Result<MakeRustlsConnect, OpError> {
        let config = CONFIG.as_ref().map_err(|error| OpError::new(ErrorKind::Other, error.to_string()))?;
        Ok(MakeRustlsConnect::new(config.clone()))
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use tokio_postgres::NoTls;

    use crate::environment::address::Address;
    use crate::history::OpError;

    /// This build has no TLS, and asks for none.
    pub fn connector(_address: &Address) -> Result<NoTls, OpError> {
        Ok(NoTls)
    }
}
