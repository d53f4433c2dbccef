//! The harness's own sessions: direct to the server, never through the gateway.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Config, Connection, NoTls, Row};
use tokio_util::task::AbortOnDropHandle;

use super::ServerError;

/// Marks the harness's own sessions in `pg_stat_activity`.
pub(crate) const APPLICATION_NAME: &str = "pgsquall";

/// Longest for one of the harness's own connections or statements. A healthy server answers within a
/// millisecond; on a machine busy with a dozen others, within a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Connection settings of a superuser on one server.
#[derive(Clone)]
pub(crate) struct Superuser {
    config: Config,
}

impl Superuser {
    pub fn new(mut config: Config) -> Superuser {
        config.application_name(APPLICATION_NAME);
        config.connect_timeout(PATIENCE);
        Superuser { config }
    }

    /// The same role in another database.
    pub fn in_database(&self, name: &str) -> Superuser {
        let mut config = self.config.clone();
        config.dbname(name);
        Superuser { config }
    }

    /// Another role at the same address, without superuser privileges.
    pub fn in_role(&self, role: &str, password: &str) -> Superuser {
        let mut config = self.config.clone();
        config.user(role).password(password);
        Superuser { config }
    }

    /// Opens a session.
    pub async fn connect(&self) -> Result<Session, ServerError> {
        self.connect_within(PATIENCE)
            .await
            .map_err(|reason| ServerError::Sql { doing: "connect to the server".into(), reason: reason.text })
    }

    /// Opens a session on an existing connection.
    pub async fn connect_over(&self, stream: TcpStream) -> Result<Session, ServerError> {
        let failed = |reason| ServerError::Sql { doing: "connect to the server".into(), reason };
        match timeout(PATIENCE, self.config.connect_raw(stream, NoTls)).await {
            Ok(connected) => connected.map(Session::new).map_err(|error| failed(explain(&error))),
            Err(_) => Err(failed(format!("no answer within {PATIENCE:?}"))),
        }
    }

    /// Opens a session, or returns the refusal.
    pub async fn connect_within(&self, patience: Duration) -> Result<Session, Refusal> {
        match timeout(patience, self.config.connect(NoTls)).await {
            Ok(Ok(connected)) => Ok(Session::new(connected)),
            Ok(Err(error)) => {
                Err(Refusal { sqlstate: error.code().map(|code| code.code().to_owned()), text: explain(&error) })
            }
            Err(_) => Err(Refusal { sqlstate: None, text: format!("no answer within {patience:?}") }),
        }
    }
}

/// Why a connection was not made.
pub(crate) struct Refusal {
    /// `None` if no server replied.
    pub sqlstate: Option<String>,
    pub text: String,
}

/// An open superuser session; closes when dropped.
pub(crate) struct Session {
    client: tokio_postgres::Client,
    _connection: AbortOnDropHandle<()>,
}

impl Session {
    fn new<S>((client, connection): (tokio_postgres::Client, Connection<S, NoTlsStream>)) -> Session
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            // Its error reaches the session's next statement, which reports it.
            let _ = connection.await;
        }));
        Session { client, _connection: task }
    }

    /// Whether the server has not ended it.
    pub fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    /// Runs statements without parameters.
    pub async fn batch(&self, sql: &str) -> Result<(), ServerError> {
        bounded(sql, self.client.batch_execute(sql)).await
    }

    /// Runs a query for one value; `None` if there is no row.
    pub async fn value<T: FromSqlOwned>(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<T>, ServerError> {
        let rows = self.rows(sql, parameters).await?;
        let unlike = |error: tokio_postgres::Error| ServerError::Sql {
            doing: format!("read the result of {sql:?}"),
            reason: explain(&error),
        };
        rows.first().map(|row| row.try_get(0)).transpose().map_err(unlike)
    }

    /// Runs a query that counts.
    pub async fn count(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<usize, ServerError> {
        Ok(self.value::<i64>(sql, parameters).await?.unwrap_or_default() as usize)
    }

    /// Runs a query.
    pub async fn rows(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ServerError> {
        bounded(sql, self.client.query(sql, parameters)).await
    }
}

async fn bounded<T>(sql: &str, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, ServerError> {
    let failed = |reason| ServerError::Sql { doing: format!("run {sql:?}"), reason };
    match timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|error| failed(explain(&error))),
        Err(_) => Err(failed(format!("no answer within {PATIENCE:?}"))),
    }
}

/// The whole chain of causes; tokio-postgres alone prints "db error".
pub(crate) fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
