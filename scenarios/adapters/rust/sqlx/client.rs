//! SQLx: a pool of four, and the library's own listener, which connects and listens again by itself.
//! As in https://docs.rs/sqlx/latest/sqlx/pool/ and
//! https://docs.rs/sqlx/latest/sqlx/postgres/struct.PgListener.html

mod adapter;
mod subscription;

use std::time::Duration;

use adapter::{CALLERS, Failure, Op, READ, WORKERS, WRITE, Worker};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Error, PgPool};
use subscription::Subscription;

/// Pause between two calls of a failing listener.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Sqlx(PgPool);

impl Worker for Sqlx {
    async fn perform(&mut self, op: Op, key: i64) -> Result<Option<bool>, Failure> {
        let pool = &self.0;
        match op {
            Op::Read => return Ok(Some(sqlx::query(READ).bind(key).fetch_optional(pool).await?.is_some())),
            Op::Write => drop(sqlx::query(WRITE).bind(key).execute(pool).await?),
            Op::Transaction => {
                let mut transaction = pool.begin().await?;
                sqlx::query("SELECT 1").fetch_one(&mut *transaction).await?;
                sqlx::query(WRITE).bind(key).execute(&mut *transaction).await?;
                transaction.commit().await?;
            }
        }
        Ok(None)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let message = error.to_string();
        let sqlstate = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
        let kind = match &error {
            Error::Io(error) => adapter::kind(error),
            Error::PoolTimedOut => Some("timeout"),
            _ => None,
        };
        Failure { message, sqlstate, kind, ..Failure::default() }
    }
}

/// Listens until the process ends, with one listener, which reconnects by itself at the next call.
async fn listen(pool: PgPool) {
    let mut subscription = Subscription::default();
    let mut listener = loop {
        match first(&pool).await {
            Ok(listener) => break listener,
            Err(error) => eprintln!("not listening: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    };
    subscription.had();
    let mut lost = false;
    loop {
        let received = listener.try_recv().await;
        if lost && received.is_ok() || matches!(received, Ok(None)) {
            subscription.had();
        }
        lost = received.is_err();
        match received {
            Ok(Some(notification)) => subscription.heard(notification.payload()),
            Ok(None) => {}
            Err(error) => {
                eprintln!("the listener failed: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn first(pool: &PgPool) -> Result<PgListener, Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("pgsquall_news").await?;
    Ok(listener)
}

/// The library's settings limit the wait for a connection and the server's work, but not the network.
fn pools(tuned: bool) -> (PgPool, PgPool) {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL is set");
    let mut options: PgConnectOptions = url.parse().expect("DATABASE_URL is a connection URL");
    let mut pool = PgPoolOptions::new().max_connections(WORKERS as u32);
    if tuned {
        options = options.options([("statement_timeout", "5s")]); // the server's timer, for each statement
        pool = pool.acquire_timeout(Duration::from_secs(10)); // for a connection, a new one too
        pool = pool.max_lifetime(Duration::from_secs(60)); // after which it is replaced
    }
    // A pool of its own, as the listener has if it gets a URL: its connection is never returned.
    let of_listener = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    (pool.connect_lazy_with(options.clone()), of_listener.connect_lazy_with(options))
}

#[tokio::main]
async fn main() {
    adapter::hello("sqlx", "sqlx", &["transaction", "listen", "deadline", "tls"], None);
    let (pool, of_listener) = pools(adapter::is_tuned());
    adapter::serve(vec![Sqlx(pool); CALLERS], listen(of_listener)).await;
}
