//! A look at the certificate that a server shows: a whole session over TLS, so that none is left half-open in its log.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::crypto::ring;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::credentials::trust::Anybody;
use crate::server::bootstrap::{DATABASE, OCCUPANT};
use crate::server::{APPLICATION_NAME, explain};

/// Longest for one look.
const PATIENCE: Duration = Duration::from_secs(5);

/// The certificate with which the server introduces itself now, as it goes over the wire.
///
/// *Errors*: no session over TLS came about, in words.
pub(super) async fn shown(server: SocketAddr, password: &str) -> Result<Vec<u8>, String> {
    let provider = Arc::new(ring::default_provider());
    let anybody = Arc::new(Anybody::new(Arc::clone(&provider)));
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&anybody) as Arc<_>)
        .with_no_client_auth();
    let mut config = Config::new();
    config.host(server.ip().to_string()).port(server.port());
    config.user(OCCUPANT).password(password).dbname(DATABASE).application_name(APPLICATION_NAME);
    config.ssl_mode(SslMode::Require);
    let session = async {
        let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await?;
        drop(client);
        connection.await
    };
    match timeout(PATIENCE, session).await {
        Ok(Ok(())) => anybody.shown().ok_or_else(|| "no certificate was shown".into()),
        Ok(Err(error)) => Err(explain(&error)),
        Err(_) => Err(format!("no session within {}", crate::model::time::show(PATIENCE))),
    }
}
