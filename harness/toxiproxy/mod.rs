//! The stand-alone proxy: gateways whose faults are switched at run time over HTTP, in the dialect of Toxiproxy.
//!
//! Every client library of Toxiproxy works against it. `dialect` and `kind` are its words and what they come to, pure;
//! `proxy` is one gateway with what is in force there, `proxies` all of them; `routes` is what HTTP asks, `http` its
//! connections. `tap` counts what passes, `journal` writes it down.
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
mod encryption;
mod fields;
mod http;
mod journal;
mod proxies;
mod proxy;
mod routes;
mod tap;
#[cfg(test)]
mod tests;
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

use self::api_error::Complaint;
pub use self::api_types::ProxyConfig;
use self::encryption::Encryption;
pub use self::encryption::TlsFiles;
use self::journal::Journal;
use self::proxies::Proxies;
use crate::model::seed::Seed;

/// The version of Toxiproxy whose dialect the API speaks: what `GET /version` says, since client libraries ask.
pub const DIALECT: &str = "2.12.0";

/// Where Toxiproxy's API listens, and where client libraries look for it.
pub const API: &str = "127.0.0.1:8474";

/// Longest that requests under way are waited for when the service ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a service is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the API listens, `host:port`; `None`: nowhere.
    pub api: Option<String>,
    /// Whatever toxics leave to chance is drawn from it.
    pub seed: Seed,
    /// Proxies that are there from the beginning.
    pub proxies: Vec<ProxyConfig>,
    /// Every event of every connection goes there, as lines of JSON.
    pub tap: Option<PathBuf>,
    /// TLS is ended by every proxy, for clients that ask for it; `None`: it passes through, and cannot be read.
    pub tls: Option<TlsFiles>,
}

impl Default for Settings {
    /// Toxiproxy's address, any seed, no proxies.
    fn default() -> Settings {
        Settings { api: Some(API.into()), seed: Seed::random(), proxies: Vec::new(), tap: None, tls: None }
    }
}

/// Why a service could not be, or could not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// It was asked for something that makes no sense.
    #[error("{0}")]
    Settings(String),
    /// The system would not do it: a port is taken.
    #[error("{0}")]
    Unavailable(String),
    #[error("cannot write {}: {source}", path.display())]
    Tap { path: PathBuf, source: io::Error },
}

/// A proxy of a service, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    pub name: String,
    pub listen: String,
    pub upstream: String,
    pub enabled: bool,
}

/// A service that runs. Dropped, it ends, with every connection; [`shutdown`](Service::shutdown) does so in order.
pub struct Service {
    api: Option<SocketAddr>,
    proxies: Arc<Proxies>,
    closing: CancellationToken,
    http: Option<AbortOnDropHandle<()>>,
    writer: Option<(PathBuf, JoinHandle<io::Result<()>>)>,
}

impl Service {
    /// Brings up the proxies, then the API.
    pub async fn start(settings: Settings) -> Result<Service, ServiceError> {
        let encryption = settings.tls.as_ref().map(Encryption::read).transpose()?.map(Arc::new);
        let listener = match &settings.api {
            Some(api) => Some(listen(api).await?),
            None => None,
        };
        let api = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let (journal, writer) = match settings.tap {
            Some(path) => match Journal::begin(&path).await {
                Ok((journal, writer)) => (Some(journal), Some((path, writer))),
                Err(source) => return Err(ServiceError::Tap { path, source }),
            },
            None => (None, None),
        };
        let proxies = Arc::new(Proxies::new(settings.seed, encryption, journal));
        let closing = CancellationToken::new();
        let mut service = Service { api, proxies: Arc::clone(&proxies), closing: closing.clone(), http: None, writer };
        for config in settings.proxies {
            let name = config.name.clone();
            if let Err(complaint) = proxies.create(config).await {
                // What there is of it ends in order.
                let _ = service.shutdown().await;
                return Err(ServiceError::of(&name, complaint));
            }
        }
        service.http = listener.map(|listener| {
            AbortOnDropHandle::new(tokio::spawn(http::serve(listener, routes::routes(proxies), closing)))
        });
        Ok(service)
    }

    /// Where the API listens.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api
    }

    /// The proxies as they are now, in the order of their names.
    pub async fn proxies(&self) -> Vec<Listening> {
        let shown = self.proxies.shown().await.into_values();
        shown
            .map(|proxy| Listening {
                name: proxy.name,
                listen: proxy.listen,
                upstream: proxy.upstream,
                enabled: proxy.enabled,
            })
            .collect()
    }

    /// Ends the API, every proxy and every connection; returns once all of it is gone and the tap's file is written.
    pub async fn shutdown(mut self) -> Result<(), ServiceError> {
        self.closing.cancel();
        if let Some(http) = self.http.take() {
            // Requests that are not answered by then are not answered.
            let _ = timeout(FAREWELL, http).await;
        }
        self.proxies.end().await;
        let Some((path, writer)) = self.writer.take() else { return Ok(()) };
        match timeout(FAREWELL, writer).await {
            Ok(Ok(Err(source))) => Err(ServiceError::Tap { path, source }),
            Ok(Ok(Ok(()))) => Ok(()),
            _ => Err(ServiceError::Tap { path, source: io::Error::other("the disk takes too long") }),
        }
    }
}

/// Opens the API's port.
async fn listen(api: &str) -> Result<TcpListener, ServiceError> {
    let address =
        addr::resolve("the API's address", api).await.map_err(|complaint| ServiceError::of(api, complaint))?;
    TcpListener::bind(address).await.map_err(|error| {
        ServiceError::Unavailable(format!(
            "the API cannot listen on {address}: {error}; name another place (--api, or `api` of the settings)"
        ))
    })
}

impl ServiceError {
    fn of(subject: &str, complaint: Complaint) -> ServiceError {
        let message = complaint.message.trim_start_matches("bad request body: ");
        match complaint.status {
            500.. => ServiceError::Unavailable(format!("{subject}: {message}")),
            _ => ServiceError::Settings(format!("{subject}: {message}")),
        }
    }
}
