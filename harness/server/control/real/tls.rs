//! TLS on a real server: writes certificate files to its data folder by SQL and reloads them while it runs.
//!
//! The nemesis decides which certificates are wrong, and when.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::RealServer;
use super::certificate_probe::shown;
use crate::credentials::certificate::Certificate;
use crate::model::topology::TlsVersion;
use crate::server::control::{Admission, SignInControl};
use crate::server::files::{reload, write_file};
use crate::server::{Server, ServerError};

/// Names of the server's files, relative to its data folder, which is its working directory.
const CERTIFICATE: &str = "pgsquall-server.crt";
const KEY: &str = "pgsquall-server.key";
const CLIENTS: &str = "pgsquall-clients.crt";
const REVOKED: &str = "pgsquall-revoked.crl";

/// Longest wait until a handshake shows a new certificate: milliseconds, but the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Interval of polling.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The server's side of TLS, in PEM.
pub(crate) struct TlsSetup {
    pub version: TlsVersion,
    pub certificate: Certificate,
    pub key: String,
    /// The authority of clients' certificates and its revocation list; `None`: clients need no certificate.
    pub clients: Option<(String, String)>,
    /// Whether the client's role is admitted over TLS only.
    pub is_required: bool,
}

impl RealServer {
    /// Enables TLS; returns once a handshake shows the certificate.
    pub async fn set_up_tls(&self, setup: &TlsSetup) -> Result<(), ServerError> {
        let session = self.server.superuser().connect().await?;
        write_file(&session, KEY, &setup.key).await?;
        let protocol = match setup.version {
            TlsVersion::V12 => "TLSv1.2",
            TlsVersion::V13 => "TLSv1.3",
        };
        let mut settings = vec![
            ("ssl", "on"),
            ("ssl_cert_file", CERTIFICATE),
            ("ssl_key_file", KEY),
            ("ssl_min_protocol_version", protocol),
            ("ssl_max_protocol_version", protocol),
            // Evidence: a connection that the log reports as received and never as authorized failed in TLS.
            ("log_connections", "on"),
        ];
        if let Some((authority, revoked)) = &setup.clients {
            write_file(&session, CLIENTS, authority).await?;
            write_file(&session, REVOKED, revoked).await?;
            settings.extend([("ssl_ca_file", CLIENTS), ("ssl_crl_file", REVOKED)]);
        }
        for (name, value) in settings {
            session.batch(&format!("ALTER SYSTEM SET {name} = '{value}'")).await?;
        }
        self.serve_certificate(&setup.certificate).await?;
        if setup.is_required {
            self.admit(Admission::TlsOnly { certificate: setup.clients.is_some() }).await?;
            // Undoing a later change must restore these rules.
            self.held().rules = None;
        }
        Ok(())
    }
}

/// Makes the server present a certificate; returns once a handshake shows it.
///
/// *Errors*: not within [`PATIENCE`]; with the last observation.
pub(super) async fn serve(server: &dyn Server, certificate: &Certificate, password: &str) -> Result<(), ServerError> {
    let session = server.superuser().connect().await?;
    write_file(&session, CERTIFICATE, &certificate.pem).await?;
    reload(&server.superuser()).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = shown(server.address(), password).await;
        if seen.as_ref().is_ok_and(|seen| *seen == certificate.der) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let last = seen.err().unwrap_or_else(|| "it shows another one".into());
            let reason = format!("within {}; last seen: {last}", crate::model::time::show(PATIENCE));
            return Err(ServerError::Control { doing: "see a new certificate of", reason });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Replaces the list of revoked certificates; returns once new sessions use it.
pub(super) async fn revoke(server: &dyn Server, list: &str) -> Result<(), ServerError> {
    write_file(&server.superuser().connect().await?, REVOKED, list).await?;
    reload(&server.superuser()).await
}
