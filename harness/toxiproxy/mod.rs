//! The stand-alone proxy: gateways whose faults are switched at run time over HTTP, with Toxiproxy's API.
//!
//! Client libraries of Toxiproxy work with it. `api_types` and `toxic_types`, both pure, are the API's JSON types and
//! their effects; `proxy` is one gateway with its toxics, `proxies` is all of them; `routes` maps requests to changes,
//! `http` serves connections; `tap` counts connection events, `journal` writes them to a file. `gateway` produces the
//! faults themselves.
//!
//! ```
//! use pgsquall::toxiproxy::{ProxyConfig, Service, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let postgres = ProxyConfig {
//!     name: "postgres".into(),
//!     listen: "127.0.0.1:0".into(),
//!     upstream: "127.0.0.1:5432".into(),
//!     enabled: true,
//! };
//! let settings = Settings { api: Some("127.0.0.1:0".into()), proxies: vec![postgres], ..Settings::default() };
//! let service = Service::start(settings).await?;
//! println!("the API is at http://{}", service.api().unwrap());
//! service.shutdown().await?;
//! # Ok(())
//! # }
//! ```

mod addr;
mod api_error;
mod api_types;
mod fields;
mod http;
mod journal;
mod proxies;
mod proxy;
mod routes;
mod tap;
#[cfg(test)]
mod tests;
mod tls;
mod toxic_types;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::api_error::ApiError;
pub use self::api_types::ProxyConfig;
use self::journal::Journal;
use self::proxies::Proxies;
use self::tls::ProxyTls;
pub use self::tls::TlsFiles;
use crate::model::seed::Seed;

/// The version of Toxiproxy whose API this is. `GET /version` returns it, because client libraries check it.
pub const DIALECT: &str = "2.12.0";

/// The default address of Toxiproxy's API, which client libraries use.
pub const API: &str = "127.0.0.1:8474";

/// Time limit of a shutdown for requests in progress, and again for the rest of the tap's file.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(2);

/// The settings of a service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The API's address, `host:port`; `None`: no API.
    pub api: Option<String>,
    /// The seed of random choices in toxics.
    pub seed: Seed,
    /// Proxies created at the start.
    pub proxies: Vec<ProxyConfig>,
    /// The file for every event of every connection, as lines of JSON.
    pub tap: Option<PathBuf>,
    /// The files with which every proxy terminates TLS for clients that request it; `None`: TLS passes through unread.
    pub tls: Option<TlsFiles>,
}

impl Default for Settings {
    /// Returns settings with Toxiproxy's address, a random seed, no proxies, no tap and no TLS.
    fn default() -> Settings {
        Settings { api: Some(API.into()), seed: Seed::random(), proxies: Vec::new(), tap: None, tls: None }
    }
}

/// Why a service could not start, or could not shut down cleanly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The settings are invalid.
    #[error("{0}")]
    Settings(String),
    /// The operating system refused, for example because a port is in use.
    #[error("{0}")]
    Unavailable(String),
    /// The tap's file cannot be created, or not written to its end.
    #[error("cannot write {}: {source}", path.display())]
    Tap { path: PathBuf, source: io::Error },
}

/// A proxy of a service, with its addresses. It may be disabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    pub name: String,
    pub listen: String,
    pub upstream: String,
    pub enabled: bool,
}

/// A running service. Dropping it ends every connection at once; [`shutdown`](Service::shutdown) ends them in order.
pub struct Service {
    api: Option<SocketAddr>,
    proxies: Arc<Proxies>,
    closing: CancellationToken,
    http: Option<AbortOnDropHandle<()>>,
    writer: Option<(PathBuf, JoinHandle<io::Result<()>>)>,
}

impl Service {
    /// Opens the API's port and starts the proxies; then serves the API.
    ///
    /// *Errors*: the settings are invalid, a port cannot be opened, or the tap's file cannot be created.
    pub async fn start(settings: Settings) -> Result<Service, ServiceError> {
        let tls = settings.tls.as_ref().map(ProxyTls::read).transpose()?.map(Arc::new);
        let listener = match &settings.api {
            Some(api) => Some(listen(api).await?),
            None => None,
        };
        let api = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let (journal, writer) = match settings.tap {
            Some(path) => match Journal::create(&path).await {
                Ok((journal, writer)) => (Some(journal), Some((path, writer))),
                Err(source) => return Err(ServiceError::Tap { path, source }),
            },
            None => (None, None),
        };
        let proxies = Arc::new(Proxies::new(settings.seed, tls, journal));
        let closing = CancellationToken::new();
        let mut service = Service { api, proxies: Arc::clone(&proxies), closing: closing.clone(), http: None, writer };
        for config in settings.proxies {
            let name = config.name.clone();
            if let Err(error) = proxies.create(config).await {
                // Closes the proxies created so far; the error above is the one to report.
                let _ = service.shutdown().await;
                return Err(ServiceError::from_api_error(&name, error));
            }
        }
        service.http = listener.map(|listener| {
            AbortOnDropHandle::new(tokio::spawn(http::serve(listener, routes::routes(proxies), closing)))
        });
        Ok(service)
    }

    /// Returns the API's address, with the assigned port; `None` if there is no API.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api
    }

    /// Returns the present proxies, sorted by name.
    pub async fn proxies(&self) -> Vec<Listening> {
        let views = self.proxies.views().await.into_values();
        views
            .map(|proxy| Listening {
                name: proxy.name,
                listen: proxy.listen,
                upstream: proxy.upstream,
                enabled: proxy.enabled,
            })
            .collect()
    }

    /// Ends the API, every proxy and every connection; returns once all have ended and the tap's file is written.
    /// Aborts requests that take longer than two seconds.
    ///
    /// *Errors*: the tap's file could not be written to its end.
    pub async fn shutdown(mut self) -> Result<(), ServiceError> {
        self.closing.cancel();
        if let Some(http) = self.http.take() {
            // On a timeout, dropping the handle aborts the server: unfinished requests get no reply.
            let _ = timeout(SHUTDOWN_WITHIN, http).await;
        }
        self.proxies.close().await;
        let Some((path, writer)) = self.writer.take() else { return Ok(()) };
        match timeout(SHUTDOWN_WITHIN, writer).await {
            Ok(Ok(Err(source))) => Err(ServiceError::Tap { path, source }),
            Ok(Ok(Ok(()))) => Ok(()),
            _ => Err(ServiceError::Tap { path, source: io::Error::other("the disk is too slow") }),
        }
    }
}

/// Opens the API's port.
///
/// *Errors*: the address is invalid, or the port cannot be opened.
async fn listen(api: &str) -> Result<TcpListener, ServiceError> {
    let address =
        addr::resolve("the API's address", api).await.map_err(|error| ServiceError::from_api_error(api, error))?;
    TcpListener::bind(address).await.map_err(|error| {
        ServiceError::Unavailable(format!(
            "cannot serve the API on {address}: {error}; choose another address (--api, or `api` of the settings)"
        ))
    })
}

impl ServiceError {
    fn from_api_error(subject: &str, error: ApiError) -> ServiceError {
        let message = error.message.trim_start_matches("bad request body: ");
        match error.status {
            500.. => ServiceError::Unavailable(format!("{subject}: {message}")),
            _ => ServiceError::Settings(format!("{subject}: {message}")),
        }
    }
}
