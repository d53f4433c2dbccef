//! One connection of a built-in client: how it is opened, and the statements that run on it.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_util::task::AbortOnDropHandle;

use super::behaviour::{Behaviour, Keepalive};
use super::deadline::within;
use super::encryption::{Connector, ssl_mode};
use super::errors::from_postgres_error;
use super::lookup::ResolvedHost;
use super::transport::{self, Transport};
use crate::credentials::address::Address;
use crate::model::history::OpError;
use crate::model::topology::TargetSession;
use crate::server::bootstrap::CHANNEL;

const INSERT_ONCE: &str = "INSERT INTO pgsquall_ledger (id, idempotency_key) VALUES ($1, $1) \
                           ON CONFLICT (idempotency_key) DO NOTHING";
const INSERT: &str = "INSERT INTO pgsquall_ledger (id) VALUES ($1)";
const SELECT: &str = "SELECT 1 FROM pgsquall_ledger WHERE id = $1 LIMIT 1";

/// An open connection. Dropping it closes the socket at once, even with a statement in progress.
pub(super) struct Connection {
    opened: PgSession,
    insert: &'static str,
    transport: Transport,
}

/// A session, and the task that drives its messages.
pub(super) struct PgSession {
    pub client: Client,
    /// The server's address on a custom transport; `None` on sockets of the operating system.
    at: Option<SocketAddr>,
    /// The payloads of notifications; ends with the connection.
    notifications: mpsc::UnboundedReceiver<String>,
    _driver: AbortOnDropHandle<()>,
}

impl PgSession {
    pub fn new<S, T>(
        client: Client,
        mut connection: tokio_postgres::Connection<S, T>,
        at: Option<SocketAddr>,
    ) -> PgSession
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (received, notifications) = mpsc::unbounded_channel();
        let driver = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut messages = poll_fn(|context| connection.poll_message(context));
            // An error ends the loop; the statement that waits for a reply gets it and reports it.
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(notification) = message {
                    // Sending fails only while the session is being dropped. The queue stays empty on connections
                    // without LISTEN, because the server sends no notifications there.
                    let _ = received.send(notification.payload().to_owned());
                }
            }
        }));
        PgSession { client, at, notifications, _driver: driver }
    }
}

impl Connection {
    /// Connects to the first suitable host, and runs a query to check the session.
    pub async fn open(
        address: &Address,
        hosts: &[ResolvedHost],
        transport: &Transport,
        connector: impl FnOnce() -> Result<Connector, OpError>,
        behaviour: &Behaviour,
    ) -> Result<Connection, OpError> {
        let Behaviour { deadlines, keepalive, user_timeout, repeats_safely, .. } = *behaviour;
        let mut config = Config::new();
        // Read for every connection, because the password may have been rotated and the host moved.
        config.password(address.current_password()?).ssl_mode(ssl_mode(address.sslmode));
        if address.target_session == TargetSession::ReadWrite {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.user(&address.user).dbname(&address.database).application_name("reference");
        // The library's connect_timeout covers TCP only; this limit also covers a server that accepts and stays silent.
        // Each address adds one limit, because the first may be dead.
        let limit = deadlines.connect.map(|limit| limit * hosts.len().max(1) as u32);
        within(limit, "connecting", async {
            let opened = match transport {
                Transport::Os => {
                    for (place, ip) in hosts {
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
                    // Boxed, because the future is large and simulations do not use it.
                    let (client, connection) =
                        Box::pin(config.connect(connector()?)).await.map_err(from_postgres_error)?;
                    PgSession::new(client, connection, None)
                }
                Transport::Custom(dial) => {
                    transport::connect(&config, dial.as_ref(), hosts, &connector()?, behaviour).await?
                }
            };
            // A pooler in the path accepts logins even while it has no server connection.
            opened.client.batch_execute("SELECT 1").await?;
            let insert = if repeats_safely { INSERT_ONCE } else { INSERT };
            Ok(Connection { opened, insert, transport: transport.clone() })
        })
        .await
    }

    /// Cancels the running statement after `wait`, unless the returned handle is dropped before.
    pub fn cancel_after(&self, wait: Duration) -> AbortOnDropHandle<()> {
        let (token, transport, at) = (self.opened.client.cancel_token(), self.transport.clone(), self.opened.at);
        AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            transport.cancel(token, at).await;
        }))
    }

    /// Subscribes to the run's channel.
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

    // Statements are unnamed, because a pooler in the path could send the next one to another session; each still takes
    // only one round trip.

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
            // If this fails too, the connection is replaced: the caller gets the first error.
            let _ = self.opened.client.batch_execute("ROLLBACK").await;
        }
        done
    }

    /// Opens a snapshot that all later statements of this connection read.
    pub async fn freeze_snapshot(&self) -> Result<(), OpError> {
        self.opened
            .client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pgsquall_ledger LIMIT 1")
            .await?;
        Ok(())
    }
}
