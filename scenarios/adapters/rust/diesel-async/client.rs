//! diesel-async: its connection to Postgres in a deadpool of four, and one more that listens.
//! As in https://docs.rs/diesel-async/latest/diesel_async/pooled_connection/deadpool/

mod adapter;
mod database;
mod subscription;

use std::pin::pin;
use std::time::Duration;

use adapter::{CALLERS, Failure, Op, WORKERS, Worker};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Integer;
use diesel_async::pooled_connection::deadpool::{Pool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, PoolError as Cause};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::{FutureExt, TryStreamExt};
use postgres_native_tls::MakeTlsConnector;
use subscription::Subscription;
use tokio_postgres::Config;

/// Pause between two attempts to listen.
const PAUSE: Duration = Duration::from_secs(1);

diesel::table! {
    pgsquall_ledger (id) { id -> BigInt, }
}

#[derive(Clone)]
struct Diesel(Pool<AsyncPgConnection>);

impl Worker for Diesel {
    async fn perform(&mut self, op: Op, key: i64) -> Result<Option<bool>, Failure> {
        let mut conn = self.0.get().await?;
        match op {
            Op::Read => {
                let read = pgsquall_ledger::table.find(key).select(1.into_sql::<Integer>());
                return Ok(Some(read.first::<i32>(&mut conn).await.optional()?.is_some()));
            }
            Op::Write => drop(insert(&mut conn, key).await?),
            Op::Transaction => {
                conn.transaction(async |conn| {
                    diesel::select(1.into_sql::<Integer>()).get_result::<i32>(conn).await?;
                    insert(conn, key).await
                })
                .await?;
            }
        }
        Ok(None)
    }
}

async fn insert(conn: &mut AsyncPgConnection, key: i64) -> QueryResult<usize> {
    diesel::insert_into(pgsquall_ledger::table).values(pgsquall_ledger::id.eq(key)).execute(conn).await
}

impl From<Error> for Failure {
    /// The library reports kinds, not codes; each of these two stands for one.
    fn from(error: Error) -> Failure {
        let message = error.to_string();
        let (sqlstate, kind) = match error {
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => (Some("23505"), None),
            Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => (Some("40001"), None),
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => (None, Some("closed")),
            _ => (None, None),
        };
        Failure { message, sqlstate: sqlstate.map(str::to_owned), kind, ..Failure::default() }
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Failure {
        let message = error.to_string();
        match error {
            PoolError::Backend(Cause::QueryError(error)) => error.into(),
            PoolError::Timeout(_) => Failure { message, kind: Some("timeout"), ..Failure::default() },
            _ => Failure { message, ..Failure::default() }, // the cause of a failed connect is text only
        }
    }
}

/// With TLS, tokio-postgres opens the connection, as in the library's own examples.
async fn connect(config: Config, tls: MakeTlsConnector) -> ConnectionResult<AsyncPgConnection> {
    let in_words = |error| ConnectionError::BadConnection(Failure::from(error).message);
    let (client, connection) = config.connect(tls).await.map_err(in_words)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// Listens until the process ends. A subscription ends with its connection; the library does not renew it.
async fn listen(config: Config, tls: MakeTlsConnector) {
    let mut subscription = Subscription::default();
    loop {
        match connect(config.clone(), tls.clone()).await {
            Ok(conn) => match hear(conn, &mut subscription).await {
                Ok(()) => eprintln!("not listening: the stream has ended"),
                Err(error) => eprintln!("not listening: {error}"),
            },
            Err(error) => eprintln!("not listening: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(mut conn: AsyncPgConnection, subscription: &mut Subscription) -> QueryResult<()> {
    diesel::sql_query("LISTEN pgsquall_news").execute(&mut conn).await?;
    subscription.had();
    let mut notifications = pin!(conn.notifications_stream());
    while let Some(notification) = notifications.try_next().await? {
        subscription.heard(&notification.payload);
    }
    Ok(())
}

fn pool(config: Config, tls: MakeTlsConnector, tuned: bool) -> Pool<AsyncPgConnection> {
    let mut manager = ManagerConfig::default(); // it verifies a connection before it hands it out
    manager.custom_setup = Box::new(move |_| connect(config.clone(), tls.clone()).boxed());
    let manager = AsyncDieselConnectionManager::new_with_config("", manager);
    let mut builder = Pool::builder(manager).max_size(WORKERS);
    if tuned {
        builder = builder.runtime(deadpool::Runtime::Tokio1);
        builder = builder.wait_timeout(Some(Duration::from_secs(10))); // for a free connection
        builder = builder.create_timeout(Some(Duration::from_secs(5))); // the whole of connecting
        builder = builder.recycle_timeout(Some(Duration::from_secs(5))); // the query that verifies
    }
    builder.build().expect("the pool is set up rightly")
}

#[tokio::main]
async fn main() {
    let capabilities = ["transaction", "listen", "deadline", "multi_host", "tls"];
    adapter::hello("diesel-async", "diesel-async", &capabilities, None);
    let tuned = adapter::is_tuned();
    let (config, tls) = (database::config(tuned), database::tls());
    let pool = Diesel(pool(config.clone(), tls.clone(), tuned));
    adapter::serve(vec![pool; CALLERS], listen(config, tls)).await;
}
