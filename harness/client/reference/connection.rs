//! One connection of a built-in client: how it is made, what runs on it, and how long it may take.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::Either;
use futures_util::stream::poll_fn;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_util::task::AbortOnDropHandle;

use super::behaviour::{Behaviour, Keepalive};
use super::encryption::{Connector, is_of_certificates, mode};
use super::lookup::Found;
use super::transport::{self, Transport};
use crate::credentials::address::Address;
use crate::model::history::{ErrorKind, OpError};
use crate::model::time::show;
use crate::model::topology::TargetSession;
use crate::server::bootstrap::CHANNEL;

const INSERT_ONCE: &str = "INSERT INTO pgsquall_ledger (id, idempotency_key) VALUES ($1, $1) \
                           ON CONFLICT (idempotency_key) DO NOTHING";
const INSERT: &str = "INSERT INTO pgsquall_ledger (id) VALUES ($1)";
const SELECT: &str = "SELECT 1 FROM pgsquall_ledger WHERE id = $1 LIMIT 1";

/// An open connection. Dropping it closes the socket at once, whatever is still under way on it.
pub(super) struct Connection {
    opened: Driven,
    insert: &'static str,
    way: Transport,
}

/// A session, and the task that carries its messages.
pub(super) struct Driven {
    pub client: Client,
    /// Where it is, if on a network of somebody else's.
    at: Option<SocketAddr>,
    /// The payloads of notifications; ends with the connection.
    notifications: mpsc::UnboundedReceiver<String>,
    _driver: AbortOnDropHandle<()>,
}

impl Driven {
    pub fn new<S, T>(client: Client, mut connection: tokio_postgres::Connection<S, T>, at: Option<SocketAddr>) -> Driven
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (heard, notifications) = mpsc::unbounded_channel();
        let driver = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut messages = poll_fn(|context| connection.poll_message(context));
            // An error reaches the statement that waits, which reports it.
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(notification) = message {
                    // Where nobody listens, none comes.
                    let _ = heard.send(notification.payload().to_owned());
                }
            }
        }));
        Driven { client, at, notifications, _driver: driver }
    }
}

impl Connection {
    /// Connects to the first of these places that will do, and sees a query through.
    pub async fn open(
        address: &Address,
        places: &[Found],
        way: &Transport,
        connector: impl FnOnce() -> Result<Connector, OpError>,
        behaviour: &Behaviour,
    ) -> Result<Connection, OpError> {
        let Behaviour { deadlines, keepalive, user_timeout, repeats_safely, .. } = *behaviour;
        let mut config = Config::new();
        // Read anew each time: whoever rotates a password, or moves a server, tells nobody.
        config.password(address.current_password()?).ssl_mode(mode(address.sslmode));
        if address.target_session == TargetSession::ReadWrite {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.user(&address.user).dbname(&address.database).application_name("reference");
        // The library's own connect_timeout covers TCP only; a server that accepts and is silent needs this one.
        // Every address has its own time: the first may be dead.
        let limit = deadlines.connect.map(|limit| limit * places.len().max(1) as u32);
        within(limit, "connecting", async {
            let opened = match way {
                Transport::Machine => {
                    for (place, ip) in places {
                        config.host(&place.host).hostaddr(*ip).port(place.port);
                    }
                    if let Some(limit) = deadlines.connect {
                        config.connect_timeout(limit);
                    }
                    if let Some(limit) = user_timeout {
                        config.tcp_user_timeout(limit);
                    }
                    config.keepalives(keepalive != Keepalive::Off);
                    if let Keepalive::After { idle, interval, probes } = keepalive {
                        config.keepalives_idle(idle).keepalives_interval(interval).keepalives_retries(probes);
                    }
                    // Boxed: it is large, and a simulation has no need of it.
                    let (client, connection) = Box::pin(config.connect(connector()?)).await.map_err(told)?;
                    Driven::new(client, connection, None)
                }
                Transport::Other(dial) => {
                    transport::connect(&config, dial.as_ref(), places, &connector()?, behaviour).await?
                }
            };
            // A pool in the path signs clients in by itself, also while it has no server for them.
            opened.client.batch_execute("SELECT 1").await?;
            let insert = if repeats_safely { INSERT_ONCE } else { INSERT };
            Ok(Connection { opened, insert, way: way.clone() })
        })
        .await
    }

    /// Cancels whatever runs after a while, unless the connection has gone by then.
    pub fn cancel_after(&self, wait: Duration) -> AbortOnDropHandle<()> {
        let (token, way, at) = (self.opened.client.cancel_token(), self.way.clone(), self.opened.at);
        AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            way.cancel(token, at).await;
        }))
    }

    /// Subscribes.
    pub async fn listen(&self) -> Result<(), OpError> {
        self.opened.client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        Ok(())
    }

    /// The payload of the next notification; `None` once the connection is lost.
    pub async fn next_notification(&mut self) -> Option<String> {
        self.opened.notifications.recv().await
    }

    pub fn is_closed(&self) -> bool {
        self.opened.client.is_closed()
    }

    // Statements have no name on the server, where a pool in the path could hand the next one to another session; each
    // is a single message and a single answer all the same.

    pub async fn write(&self, key: i64) -> Result<(), OpError> {
        self.opened.client.execute_typed(self.insert, &[(&key, Type::INT8)]).await?;
        Ok(())
    }

    pub async fn read(&self, key: i64) -> Result<bool, OpError> {
        Ok(self.opened.client.query_typed_opt(SELECT, &[(&key, Type::INT8)]).await?.is_some())
    }

    pub async fn transaction(&self, key: i64) -> Result<(), OpError> {
        self.opened.client.batch_execute("BEGIN").await?;
        let work = async {
            self.read(key).await?;
            self.write(key).await?;
            self.opened.client.batch_execute("COMMIT").await?;
            Ok(())
        };
        let done = work.await;
        if done.is_err() && !self.is_closed() {
            // If even this fails, the connection is replaced: the caller sees the first error.
            let _ = self.opened.client.batch_execute("ROLLBACK").await;
        }
        done
    }

    /// Opens a snapshot that all later statements of this connection see, and no other.
    pub async fn freeze_snapshot(&self) -> Result<(), OpError> {
        self.opened
            .client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pgsquall_ledger LIMIT 1")
            .await?;
        Ok(())
    }
}

/// Why no connection came about.
pub(super) fn told(error: tokio_postgres::Error) -> OpError {
    let hopeless = is_of_certificates(&error);
    let error = OpError::from(error);
    // What is wrong with a certificate stays wrong until somebody replaces it.
    if hopeless { error.with_retryable(false) } else { error }
}

/// Bounds a wait, where there is a bound.
pub(super) fn within<T>(
    limit: Option<Duration>,
    doing: &str,
    work: impl Future<Output = Result<T, OpError>>,
) -> impl Future<Output = Result<T, OpError>> {
    let Some(limit) = limit else { return Either::Left(work) };
    let too_long = move || OpError::new(ErrorKind::Timeout, format!("{doing} took longer than {}", show(limit)));
    // No async function: it would hold the work twice, and it is large.
    Either::Right(timeout(limit, work).map(move |done| done.unwrap_or_else(|_| Err(too_long()))))
}
