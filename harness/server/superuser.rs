//! The harness's own sessions. They connect directly to the server; only the audit also measures one through the
//! gateway ([`Superuser::connect_over`]).

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Config, Connection, NoTls, Row};
use tokio_util::task::AbortOnDropHandle;

use super::ServerError;

/// `application_name` of the harness's own sessions, by which queries on `pg_stat_activity` exclude them.
pub(crate) const APPLICATION_NAME: &str = "pgsquall";

/// Longest wait for one of the harness's own connections or statements. A healthy server answers within a millisecond;
/// on a machine that runs a dozen servers, within a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Connection settings of one of the harness's sessions: of a superuser, unless made by [`in_role`](Superuser::in_role)
/// or from the credentials of an external server or a middlebox.
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

    /// Returns settings for the same role in another database.
    pub fn in_database(&self, name: &str) -> Superuser {
        let mut config = self.config.clone();
        config.dbname(name);
        Superuser { config }
    }

    /// Returns settings for another role at the same address and in the same database.
    pub fn in_role(&self, role: &str, password: &str) -> Superuser {
        let mut config = self.config.clone();
        config.user(role).password(password);
        Superuser { config }
    }

    /// Opens a session.
    ///
    /// *Errors*: the server refuses or does not answer within [`PATIENCE`].
    pub async fn connect(&self) -> Result<Session, ServerError> {
        self.connect_within(PATIENCE)
            .await
            .map_err(|reason| ServerError::Sql { doing: "connect to the server".into(), reason: reason.text })
    }

    /// Opens a session on an existing TCP connection.
    ///
    /// *Errors*: as for [`connect`](Superuser::connect).
    pub async fn connect_over(&self, stream: TcpStream) -> Result<Session, ServerError> {
        let failed = |reason| ServerError::Sql { doing: "connect to the server".into(), reason };
        match timeout(PATIENCE, self.config.connect_raw(stream, NoTls)).await {
            Ok(connected) => connected.map(Session::new).map_err(|error| failed(explain(&error))),
            Err(_) => Err(failed(format!("no answer within {PATIENCE:?}"))),
        }
    }

    /// Opens a session.
    ///
    /// *Errors*: the refusal, with its SQLSTATE if the server sent one.
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
    /// `None` if no server answered with an error of its own.
    pub sqlstate: Option<String>,
    pub text: String,
}

/// An open session; closed when dropped.
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
            // A lost connection is reported by the session's next statement.
            let _ = connection.await;
        }));
        Session { client, _connection: task }
    }

    /// Returns whether the connection is still open.
    pub fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    /// Runs statements without parameters. Several statements in one call are one transaction.
    ///
    /// *Errors*, here and below: [`ServerError::Sql`] if a statement fails or takes longer than [`PATIENCE`].
    pub async fn batch(&self, sql: &str) -> Result<(), ServerError> {
        bounded(sql, self.client.batch_execute(sql)).await
    }

    /// Runs a query; returns the first column of the first row; `None` if there is no row.
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

    /// Runs a query; returns its first value as a count; 0 if there is no row.
    pub async fn count(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<usize, ServerError> {
        Ok(self.value::<i64>(sql, parameters).await?.unwrap_or_default() as usize)
    }

    /// Runs a query; returns its rows.
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

/// Formats an error with its whole chain of causes; tokio-postgres alone prints "db error".
pub(crate) fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
