//! One connection of a built-in client: how it is made, what runs on it, and how long it may take.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config};
use tokio_util::task::AbortOnDropHandle;

use super::behaviour::Deadlines;
use super::encryption::{Connector, is_of_certificates, mode};
use crate::environment::address::Address;
use crate::history::{ErrorKind, OpError};
use crate::layout::TargetSession;

/// Keepalive after this much silence: the documented advice of 60 s, 10 s and 5 probes (FACTS §0), scaled to loopback.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(2);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEPALIVE_RETRIES: u32 = 3;

const INSERT_ONCE: &str = "INSERT INTO pgsquall_ledger (id, idempotency_key) VALUES ($1, $1) \
                           ON CONFLICT (idempotency_key) DO NOTHING";
const INSERT: &str = "INSERT INTO pgsquall_ledger (id) VALUES ($1)";
const SELECT: &str = "SELECT 1 FROM pgsquall_ledger WHERE id = $1 LIMIT 1";

/// An open connection. Dropping it closes the socket at once, whatever is still under way on it.
pub(super) struct Connection {
    client: Client,
    insert: &'static str,
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects, and sees a query through; `once`: whether writes carry their idempotency key.
    pub async fn open(
        address: &Address,
        connector: Connector,
        deadlines: Option<Deadlines>,
        once: bool,
    ) -> Result<Connection, OpError> {
        let mut config = Config::new();
        // Read anew each time: whoever rotates a password, or moves a server, tells nobody.
        config.password(address.current_password()?).ssl_mode(mode(address.sslmode));
        for place in &address.hosts {
            config.host(&place.host).port(place.port);
        }
        if address.target_session == TargetSession::ReadWrite {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.user(&address.user).dbname(&address.database).application_name("reference");
        if let Some(deadlines) = deadlines {
            config
                .connect_timeout(deadlines.connect)
                .tcp_user_timeout(deadlines.statement)
                .keepalives_idle(KEEPALIVE_IDLE)
                .keepalives_interval(KEEPALIVE_INTERVAL)
                .keepalives_retries(KEEPALIVE_RETRIES);
        }
        // The library's own connect_timeout covers TCP only; a server that accepts and is silent needs this one.
        // Every address has its own time: the first may be dead.
        let limit = deadlines.map(|deadlines| deadlines.connect * address.hosts.len().max(1) as u32);
        within(limit, "connecting", async {
            let connected = config.connect(connector).await.map_err(|error| {
                let hopeless = is_of_certificates(&error);
                let error = OpError::from(error);
                // What is wrong with a certificate stays wrong until somebody replaces it.
                if hopeless { error.with_retryable(false) } else { error }
            });
            let (client, connection) = connected?;
            let driver = AbortOnDropHandle::new(tokio::spawn(async move {
                // Its error reaches the statement that waits, which reports it.
                let _ = connection.await;
            }));
            // A pool in the path signs clients in by itself, also while it has no server for them.
            client.batch_execute("SELECT 1").await?;
            Ok(Connection { client, insert: if once { INSERT_ONCE } else { INSERT }, _driver: driver })
        })
        .await
    }

    /// Cancels whatever runs after a while, unless the connection has gone by then.
    pub fn cancel_after(&self, wait: Duration) -> AbortOnDropHandle<()> {
        let token = self.client.cancel_token();
        AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // Without an answer the statement takes too long all the same.
            let _ = token.cancel_query(tokio_postgres::NoTls).await;
        }))
    }

    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    // Statements have no name on the server, where a pool in the path could hand the next one to another session; each
    // is a single message and a single answer all the same.

    pub async fn write(&self, key: i64) -> Result<(), OpError> {
        self.client.execute_typed(self.insert, &[(&key, Type::INT8)]).await?;
        Ok(())
    }

    pub async fn read(&self, key: i64) -> Result<bool, OpError> {
        Ok(self.client.query_typed_opt(SELECT, &[(&key, Type::INT8)]).await?.is_some())
    }

    pub async fn transaction(&self, key: i64) -> Result<(), OpError> {
        self.client.batch_execute("BEGIN").await?;
        let work = async {
            self.read(key).await?;
            self.write(key).await?;
            self.client.batch_execute("COMMIT").await?;
            Ok(())
        };
        let done = work.await;
        if done.is_err() && !self.is_closed() {
            // If even this fails, the connection is replaced: the caller sees the first error.
            let _ = self.client.batch_execute("ROLLBACK").await;
        }
        done
    }

    /// Opens a snapshot that all later statements of this connection see, and no other.
    pub async fn freeze_snapshot(&self) -> Result<(), OpError> {
        self.client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pgsquall_ledger LIMIT 1")
            .await?;
        Ok(())
    }
}

/// Bounds a wait, where there is a bound.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    doing: &str,
    work: impl Future<Output = Result<T, OpError>>,
) -> Result<T, OpError> {
    match limit {
        None => work.await,
        Some(limit) => timeout(limit, work).await.unwrap_or_else(|_| {
            Err(OpError::new(ErrorKind::Timeout, format!("{doing} took longer than {}", crate::time::show(limit))))
        }),
    }
}
