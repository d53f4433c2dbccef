//! A server that speaks TLS, and what a client needs to speak it: the certificates of one run, where they lie, and how
//! they are replaced.
//!
//! Everything on the server is changed by SQL and by reload, while it runs. What is wrong with a certificate, and when,
//! is up to the nemesis.

pub(crate) mod hba;
mod look;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use self::look::shown;
use super::address::TlsFiles;
use super::identity;
use super::identity::certificate::{Authority, Certificate, Holder, Key, usual};
use super::preparation::ROLE;
use super::server::files::{read_hba, reload, write_file, write_hba_and_reload};
use super::server::{Server, ServerError};
use crate::layout::{Layout, SslMode, TlsVersion};

/// The server's files, in its data folder, which is where it runs.
const CERTIFICATE: &str = "pgsquall-server.crt";
const KEY: &str = "pgsquall-server.key";
const CLIENTS: &str = "pgsquall-clients.crt";
const REVOKED: &str = "pgsquall-revoked.crl";

/// Longest until a certificate that was loaded is seen: one handshake, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The certificates of one run.
pub(crate) struct Encryption {
    /// Whom server and client trust.
    pub authority: Authority,
    server: Key,
    client: Option<Client>,
    /// Whom the client finds at its address.
    pub host: String,
    /// The authority's certificate, where the client finds it.
    root: PathBuf,
    /// The password of every role of ours.
    password: String,
}

/// What the client shows.
struct Client {
    key: Key,
    files: (PathBuf, PathBuf),
    /// What lies there now.
    shown: Mutex<Certificate>,
}

impl Encryption {
    /// Makes a server speak TLS, and writes the client's files into `folder`; returns once it is seen to.
    pub async fn create(
        server: &dyn Server,
        (version, layout): (TlsVersion, &Layout),
        host: String,
        folder: &Path,
        password: &str,
    ) -> Result<Encryption, ServerError> {
        let authority = Authority::new().map_err(unsigned)?;
        let root = folder.join("root.crt");
        store(&root, &authority.certificate)?;
        let client = layout.client_certificate.then(|| Client::create(&authority, folder)).transpose()?;
        let key = Key::new().map_err(unsigned)?;
        let encryption = Encryption { authority, server: key, client, host, root, password: password.to_owned() };

        let session = server.superuser().connect().await?;
        write_file(&session, KEY, &encryption.server.pem()).await?;
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
            // Who came, and who was let in: what came and was not is what a certificate kept out.
            ("log_connections", "on"),
        ];
        if encryption.client.is_some() {
            write_file(&session, CLIENTS, &encryption.authority.certificate).await?;
            write_file(&session, REVOKED, &encryption.authority.revoke(&[]).map_err(unsigned)?).await?;
            settings.extend([("ssl_ca_file", CLIENTS), ("ssl_crl_file", REVOKED)]);
        }
        for (name, value) in settings {
            session.batch(&format!("ALTER SYSTEM SET {name} = '{value}'")).await?;
        }
        let usual = encryption.for_server(&encryption.authority, &encryption.host, usual().end)?;
        encryption.serve(server, &usual).await?;
        if layout.sslmode == SslMode::VerifyFull {
            let (_, rules) = encryption.rules(server).await?;
            write_hba_and_reload(&server.superuser(), &rules).await?;
        }
        Ok(encryption)
    }

    /// What the client is told of its files.
    pub fn files(&self) -> TlsFiles {
        TlsFiles { root: self.root.clone(), certificate: self.client.as_ref().map(|client| client.files.clone()) }
    }

    /// A certificate for a server, which has been valid for a while.
    pub fn for_server(&self, by: &Authority, host: &str, until: SystemTime) -> Result<Certificate, ServerError> {
        self.for_server_from(by, host, usual().start, until)
    }

    /// A certificate for a server.
    pub fn for_server_from(
        &self,
        by: &Authority,
        host: &str,
        from: SystemTime,
        until: SystemTime,
    ) -> Result<Certificate, ServerError> {
        by.sign(&self.server, &Holder { name: host, hosts: &[host], valid: from..until }).map_err(unsigned)
    }

    /// A certificate for the client.
    pub fn for_client(&self, by: &Authority, until: SystemTime) -> Result<Certificate, ServerError> {
        self.client()?.sign(by, until)
    }

    /// Has the server show a certificate; returns once it is seen to. Sessions that are open stay as they are.
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
                let last = seen.err().unwrap_or_else(|| "it shows another one".into());
                let reason = format!("within {}; last seen: {last}", crate::time::show(PATIENCE));
                return Err(ServerError::Control { doing: "see a new certificate of", reason });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Puts a certificate where the client finds its own. Its key stays, so that the two always belong together.
    pub fn give(&self, certificate: Certificate) -> Result<(), ServerError> {
        let client = self.client()?;
        store(&client.files.0, &certificate.pem)?;
        *client.shown.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
        Ok(())
    }

    /// Puts the client's certificate on the server's list of revoked ones; returns once the list is in force.
    pub async fn revoke(&self, server: &dyn Server) -> Result<(), ServerError> {
        let list = {
            let shown = self.client()?.shown.lock().unwrap_or_else(PoisonError::into_inner);
            self.authority.revoke(&[&shown]).map_err(unsigned)?
        };
        write_file(&server.superuser().connect().await?, REVOKED, &list).await?;
        reload(&server.superuser()).await
    }

    /// The rules of `pg_hba.conf` that are there, and those that keep the client's role out unless it uses TLS.
    pub async fn rules(&self, server: &dyn Server) -> Result<(String, String), ServerError> {
        let session = server.superuser().connect().await?;
        let before = read_hba(&session).await?;
        let name: String = session.value("SELECT current_user::text", &[]).await?.unwrap_or_default();
        let rules = hba::encrypted_alone(&before, &name, self.client.is_some());
        Ok((before, rules))
    }

    fn client(&self) -> Result<&Client, ServerError> {
        self.client.as_ref().ok_or_else(|| ServerError::Control {
            doing: "replace a certificate of a client of",
            reason: "the client has none".into(),
        })
    }
}

impl Client {
    fn create(authority: &Authority, folder: &Path) -> Result<Client, ServerError> {
        let key = Key::new().map_err(unsigned)?;
        let files = (folder.join("client.crt"), folder.join("client.key"));
        let shown = sign_for_client(authority, &key, usual().end)?;
        store(&files.0, &shown.pem)?;
        store(&files.1, &key.pem())?;
        Ok(Client { key, files, shown: Mutex::new(shown) })
    }

    fn sign(&self, by: &Authority, until: SystemTime) -> Result<Certificate, ServerError> {
        sign_for_client(by, &self.key, until)
    }
}

/// In the name of the client's role, as `cert` authentication wants it.
fn sign_for_client(by: &Authority, key: &Key, until: SystemTime) -> Result<Certificate, ServerError> {
    by.sign(key, &Holder { name: ROLE, hosts: &[], valid: usual().start..until }).map_err(unsigned)
}

fn store(path: &Path, text: &str) -> Result<(), ServerError> {
    identity::replace(path, text).map_err(|source| ServerError::Folder {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}

/// A certificate that could not be made.
pub(crate) fn unsigned(error: rcgen::Error) -> ServerError {
    ServerError::Control { doing: "sign a certificate for", reason: error.to_string() }
}
