//! diesel-async 0.5: its connection to Postgres in a deadpool of four. As the shipped adapter, with what was different then:
//! a transaction's closure has its future boxed, and nothing here listens.
//! As in https://docs.rs/diesel-async/0.5.1/diesel_async/pooled_connection/deadpool/

mod adapter;
mod database;

use std::time::Duration;

use adapter::{CALLERS, Failure, Op, WORKERS, Worker};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Integer;
use diesel_async::pooled_connection::deadpool::{Pool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, PoolError as Cause};
use diesel_async::scoped_futures::ScopedFutureExt;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use postgres_native_tls::MakeTlsConnector;
use tokio_postgres::Config;

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
                conn.transaction::<usize, Error, _>(|conn| {
                    async move {
                        diesel::select(1.into_sql::<Integer>()).get_result::<i32>(conn).await?;
                        insert(conn, key).await
                    }
                    .scope_boxed()
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
    /// The library hands out kinds, and no codes; these two each stand for one.
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
            _ => Failure { message, ..Failure::default() }, // the cause of a failed connect is in words alone
        }
    }
}

/// With TLS a connection is set up by tokio-postgres, as the library's own examples do it.
async fn connect(config: Config, tls: MakeTlsConnector) -> ConnectionResult<AsyncPgConnection> {
    let in_words = |error| ConnectionError::BadConnection(Failure::from(error).message);
    let (client, connection) = config.connect(tls).await.map_err(in_words)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

fn pool(config: Config, tls: MakeTlsConnector, tuned: bool) -> Pool<AsyncPgConnection> {
    let mut manager = ManagerConfig::default(); // it verifies a connection before it hands it out
    manager.custom_setup = Box::new(move |_| connect(config.clone(), tls.clone()).boxed());
    let manager = AsyncDieselConnectionManager::new_with_config("", manager);
    let mut builder = Pool::builder(manager).max_size(WORKERS);
    if tuned {
        builder = builder.runtime(deadpool::Runtime::Tokio1);
        builder = builder.wait_timeout(Some(Duration::from_secs(10))); // for a connection to be free
        builder = builder.create_timeout(Some(Duration::from_secs(5))); // the whole of connecting
        builder = builder.recycle_timeout(Some(Duration::from_secs(5))); // the query that verifies
    }
    builder.build().expect("the pool is set up rightly")
}

#[tokio::main]
async fn main() {
    let capabilities = ["transaction", "deadline", "multi_host", "tls"];
    adapter::hello("diesel-async", "diesel-async", &capabilities, None);
    let tuned = adapter::is_tuned();
    let (config, tls) = (database::config(tuned), database::tls());
    let pool = Diesel(pool(config, tls, tuned));
    adapter::serve(vec![pool; CALLERS], std::future::pending()).await;
}
