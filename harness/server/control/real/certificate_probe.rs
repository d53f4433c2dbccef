//! Fetches a server's certificate. Opens a whole session over TLS, because the server's log must not contain broken
//! handshakes of the harness.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::crypto::ring;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::credentials::trust::AcceptAnyCertificate;
use crate::server::bootstrap::{DATABASE, OCCUPANT};
use crate::server::{APPLICATION_NAME, explain};

/// Longest wait for one session.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns the certificate that the server presents now, in DER.
///
/// *Errors*: why no session over TLS was established.
pub(super) async fn shown(server: SocketAddr, password: &str) -> Result<Vec<u8>, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AcceptAnyCertificate::new(Arc::clone(&provider)));
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<_>)
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
        Ok(Ok(())) => {
            let chain = verifier.presented().chain;
            chain.first().map(|own| own.to_vec()).ok_or_else(|| "the server presented no certificate".into())
        }
        Ok(Err(error)) => Err(explain(&error)),
        Err(_) => Err(format!("no session within {}", crate::model::time::show(PATIENCE))),
    }
}
