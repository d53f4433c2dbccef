//! An external server, named by a URL. The harness controls only the network path to the server. It never stops the
//! server, and changes nothing there but one table, which it creates and drops.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::bootstrap;
use super::{LogLine, Server, ServerError, Superuser};
use crate::credentials::address::Address;
use crate::model::fault::StopMode;
use crate::model::history::ServerFacts;

/// Longest wait for a name lookup; resolvers usually give up earlier.
const LOOKUP_WITHIN: Duration = Duration::from_secs(10);

/// Longest wait for dropping the ledger of a stopped run; short, because the user waits after Ctrl-C.
const FAREWELL: Duration = Duration::from_secs(3);

/// A server behind a URL. Dropping this value drops the ledger on the server.
pub(crate) struct ExternalServer {
    facts: ServerFacts,
    address: SocketAddr,
    config: Config,
    removed: AtomicBool,
}

impl ExternalServer {
    /// Connects to the server of a URL and creates the ledger there.
    ///
    /// *Errors*: the URL cannot be used, the server does not answer, or a foreign table has the ledger's name.
    pub async fn create(url: &str) -> Result<ExternalServer, ServerError> {
        let (config, host, port) = parse(url)?;
        let unreachable = |reason| ServerError::Unreachable { server: without_credentials(url), reason };
        let address = timeout(LOOKUP_WITHIN, tokio::net::lookup_host((host.as_str(), port)))
            .await
            .map_err(|_| unreachable(format!("no answer to the lookup of host {host:?} within {LOOKUP_WITHIN:?}")))?
            .map_err(|error| unreachable(format!("host {host:?}: {error}")))?
            .next()
            .ok_or_else(|| unreachable(format!("host {host:?} has no address")))?;
        let session = Superuser::new(config.clone()).connect_within(super::superuser::PATIENCE).await;
        let session = session.map_err(|refusal| unreachable(refusal.text))?;
        let version: String = session.value("SELECT current_setting('server_version')", &[]).await?.unwrap_or_default();
        let facts = ServerFacts {
            kind: "external".into(),
            version: version.split_whitespace().next().unwrap_or_default().to_owned(),
            origin: address.to_string(),
        };
        bootstrap::prepare_external(&session).await?;
        Ok(ExternalServer { facts, address, config, removed: AtomicBool::new(false) })
    }

    /// Returns the client's address: the gateway's, with the credentials of the URL.
    pub fn client_address(&self, gateway: SocketAddr) -> Address {
        let user = self.config.get_user().unwrap_or_default().to_owned();
        let password = String::from_utf8_lossy(self.config.get_password().unwrap_or_default());
        Address::plain(gateway, &user, &password, self.config.get_dbname().unwrap_or(&user))
    }

    fn unsupported<T>(&self, doing: &'static str) -> Result<T, ServerError> {
        Err(ServerError::Control {
            doing,
            reason: "it is external, and pgsquall controls only the network path to it".into(),
        })
    }
}

/// Checks a URL without connecting.
///
/// *Errors*: [`ServerError::BadUrl`], without the password.
pub(crate) fn check_url(url: &str) -> Result<(), ServerError> {
    parse(url).map(drop)
}

/// Returns whether the URL has a password.
pub(crate) fn has_password(url: &str) -> bool {
    parse(url).is_ok_and(|(config, ..)| config.get_password().is_some_and(|password| !password.is_empty()))
}

/// Formats a URL for messages, without its password: `postgres://user@host:5432/database`.
pub(crate) fn without_credentials(url: &str) -> String {
    let Ok((config, host, port)) = parse(url) else { return "the server of the given URL".into() };
    let user = config.get_user().unwrap_or_default();
    format!("postgres://{user}@{host}:{port}/{}", config.get_dbname().unwrap_or(user))
}

/// Parses a URL into connection settings, host and port.
///
/// *Errors*: [`ServerError::BadUrl`], without the password.
fn parse(url: &str) -> Result<(Config, String, u16), ServerError> {
    let bad = |reason: String| {
        ServerError::BadUrl(format!(
            "cannot use the server URL: {reason}; write it as postgres://user:password@host:5432/database"
        ))
    };
    let mut config: Config =
        url.parse().map_err(|error: tokio_postgres::Error| bad(super::superuser::explain(&error)))?;
    if config.get_user().is_none() {
        return Err(bad("it names no user".into()));
    }
    if config.get_ssl_mode() == SslMode::Require {
        return Err(bad("it requires TLS, which pgsquall cannot speak to external servers; use sslmode=prefer".into()));
    }
    let [Host::Tcp(host)] = config.get_hosts() else {
        return Err(bad("it must name exactly one TCP host".into()));
    };
    let (host, port) = (host.clone(), config.get_ports().first().copied().unwrap_or(5432));
    config.ssl_mode(SslMode::Disable);
    Ok((config, host, port))
}

#[async_trait]
impl Server for ExternalServer {
    fn facts(&self) -> ServerFacts {
        self.facts.clone()
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn superuser(&self) -> Superuser {
        Superuser::new(self.config.clone())
    }

    async fn stop(&self, _mode: StopMode) -> Result<(), ServerError> {
        self.unsupported("stop")
    }

    async fn kill(&self) -> Result<String, ServerError> {
        self.unsupported("kill")
    }

    async fn start(&self) -> Result<(), ServerError> {
        self.unsupported("start")
    }

    async fn pause(&self) -> Result<(), ServerError> {
        self.unsupported("pause")
    }

    async fn resume(&self) -> Result<(), ServerError> {
        self.unsupported("resume")
    }

    async fn crash_into_recovery(&self, _backend: i32) -> Result<(), ServerError> {
        self.unsupported("crash")
    }

    async fn release_recovery(&self) -> Result<(), ServerError> {
        self.unsupported("release")
    }

    async fn log(&self) -> Result<Vec<LogLine>, ServerError> {
        self.unsupported("read the log of")
    }

    async fn remove(&self) -> Result<(), ServerError> {
        if self.removed.load(Ordering::Acquire) {
            return Ok(());
        }
        let session = self.superuser().connect().await?;
        bootstrap::drop_external(&session).await?;
        self.removed.store(true, Ordering::Release);
        Ok(())
    }
}

impl Drop for ExternalServer {
    /// Drops the ledger if [`remove`](Server::remove) was not called, because the run was stopped or failed.
    fn drop(&mut self) {
        if *self.removed.get_mut() {
            return;
        }
        let superuser = self.superuser();
        let farewell = async move {
            let session = superuser.connect().await?;
            bootstrap::drop_external(&session).await
        };
        // Uses its own thread and runtime, because the current runtime may be shutting down. If this fails, the next
        // run on this server drops the ledger.
        let thread = std::thread::spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                let _ = runtime.block_on(async { timeout(FAREWELL, farewell).await });
            }
        });
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_url_error_omits_the_password() {
        for (url, wanted) in [
            ("postgres://", "names no user"),
            ("postgres://u:secret@127.0.0.1:notaport/d", "cannot use"),
            ("postgres://u:secret@127.0.0.1,127.0.0.2/d", "exactly one TCP host"),
            ("postgres://u:secret@127.0.0.1/d?sslmode=require", "TLS"),
            ("nonsense", "cannot use"),
        ] {
            let error = parse(url).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(wanted) && error.contains("postgres://user:password@"), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
