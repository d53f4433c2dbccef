//! A server with TLS, and the credentials a client needs for it: the certificates of one run, their files, and their
//! replacement.
//!
//! Changes the server by SQL and reload while it runs. Does not decide what is wrong with a certificate, or when: the
//! nemesis does.

mod certificates;
pub(crate) mod hba;
mod probe;

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub(crate) use self::certificates::Certificates;
use self::probe::shown;
use crate::credentials::certificate::Certificate;
use crate::model::topology::{SslMode, TlsVersion, Topology};
use crate::server::files::{read_hba, reload, write_file, write_hba_and_reload};
use crate::server::{Server, ServerError};

/// The server's files, relative to its data folder.
const CERTIFICATE: &str = "pgsquall-server.crt";
const KEY: &str = "pgsquall-server.key";
const CLIENTS: &str = "pgsquall-clients.crt";
const REVOKED: &str = "pgsquall-revoked.crl";

/// Longest until a reloaded certificate is presented: one handshake, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Interval of polling.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A server that speaks TLS, with the certificates of its run.
pub(crate) struct Encryption {
    pub certificates: Certificates,
    /// The password of every role that the harness created.
    password: String,
}

impl Encryption {
    /// Turns TLS on, and writes the client's files into `folder`; returns once the server presents its certificate.
    pub async fn create(
        server: &dyn Server,
        (version, layout): (TlsVersion, &Topology),
        host: String,
        folder: &Path,
        password: &str,
    ) -> Result<Encryption, ServerError> {
        let certificates = Certificates::in_folder(folder, host, layout.client_certificate)?;
        let encryption = Encryption { certificates, password: password.to_owned() };
        let certificates = &encryption.certificates;

        let session = server.superuser().connect().await?;
        write_file(&session, KEY, &certificates.server.pem()).await?;
        let protocol = match version {
            TlsVersion::V12 => "TLSv1.2",
            TlsVersion::V13 => "TLSv1.3",
        };
        let mut settings = vec![
            ("ssl", "on"),
            ("ssl_cert_file", CERTIFICATE),
            ("ssl_key_file", KEY),
            ("ssl_min_protocol_version", protocol),
            ("ssl_max_protocol_version", protocol),
            // Log connections and sign-ins: the difference are connections that a certificate kept out.
            ("log_connections", "on"),
        ];
        if certificates.is_for_client() {
            write_file(&session, CLIENTS, &certificates.authority.certificate).await?;
            write_file(&session, REVOKED, &certificates.revoked(false)?).await?;
            settings.extend([("ssl_ca_file", CLIENTS), ("ssl_crl_file", REVOKED)]);
        }
        for (name, value) in settings {
            session.batch(&format!("ALTER SYSTEM SET {name} = '{value}'")).await?;
        }
        encryption.serve(server, &certificates.sound()?).await?;
        if layout.sslmode == SslMode::VerifyFull {
            let (_, rules) = encryption.rules(server).await?;
            write_hba_and_reload(&server.superuser(), &rules).await?;
        }
        Ok(encryption)
    }

    /// Replaces the server's certificate; returns once the server presents it. Open sessions stay as they are.
    pub async fn serve(&self, server: &dyn Server, certificate: &Certificate) -> Result<(), ServerError> {
        let session = server.superuser().connect().await?;
        write_file(&session, CERTIFICATE, &certificate.pem).await?;
        reload(&server.superuser()).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = shown(server.address(), &self.password).await;
            if seen.as_ref().is_ok_and(|seen| *seen == certificate.der) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let last = seen.err().unwrap_or_else(|| "the server presents another certificate".into());
                let reason = format!("within {}; last seen: {last}", crate::model::time::show(PATIENCE));
                return Err(ServerError::Control { doing: "replace the certificate of", reason });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Puts the client's certificate on the server's list of revoked ones; returns once the list is in force.
    pub async fn revoke(&self, server: &dyn Server) -> Result<(), ServerError> {
        let list = self.certificates.revoked(true)?;
        write_file(&server.superuser().connect().await?, REVOKED, &list).await?;
        reload(&server.superuser()).await
    }

    /// The present rules of `pg_hba.conf`, and rules that require TLS of the client's role.
    pub async fn rules(&self, server: &dyn Server) -> Result<(String, String), ServerError> {
        let session = server.superuser().connect().await?;
        let before = read_hba(&session).await?;
        let name: String = session.value("SELECT current_user::text", &[]).await?.unwrap_or_default();
        let rules = hba::encrypted_alone(&before, &name, self.certificates.is_for_client());
        Ok((before, rules))
    }
}
