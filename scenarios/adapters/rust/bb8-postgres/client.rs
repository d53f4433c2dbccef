//! bb8-postgres: a pool of four; a connection goes back to it when it is dropped.
//! As in https://docs.rs/bb8/latest/bb8/#example

mod adapter;
mod database;

use std::time::Duration;

use adapter::{CALLERS, Failure, Op, READ, WORKERS, WRITE, Worker};
use bb8_postgres::PostgresConnectionManager;
use bb8_postgres::bb8::{self, RunError};
use postgres_native_tls::MakeTlsConnector;

type Pool = bb8::Pool<PostgresConnectionManager<MakeTlsConnector>>;

#[derive(Clone)]
struct Bb8(Pool);

impl Worker for Bb8 {
    async fn perform(&mut self, op: Op, key: i64) -> Result<Option<bool>, Failure> {
        let mut conn = self.0.get().await?;
        match op {
            Op::Read => return Ok(Some(conn.query_opt(READ, &[&key]).await?.is_some())),
            Op::Write => drop(conn.execute(WRITE, &[&key]).await?),
            Op::Transaction => {
                let transaction = conn.transaction().await?;
                transaction.query_one("SELECT 1", &[]).await?;
                transaction.execute(WRITE, &[&key]).await?;
                transaction.commit().await?;
            }
        }
        Ok(None)
    }
}

impl From<RunError<tokio_postgres::Error>> for Failure {
    fn from(error: RunError<tokio_postgres::Error>) -> Failure {
        let message = error.to_string();
        match error {
            RunError::User(error) => error.into(),
            RunError::TimedOut => Failure { message, kind: Some("timeout"), ..Failure::default() },
        }
    }
}

fn pool(tuned: bool) -> Pool {
    let manager = PostgresConnectionManager::new(database::config(tuned), database::tls());
    let mut builder = bb8::Pool::builder().max_size(WORKERS as u32);
    if tuned {
        // By default, a connection is checked before it is handed out.
        builder = builder.connection_timeout(Duration::from_secs(5)); // for a connection, a new one too
        builder = builder.max_lifetime(Duration::from_secs(60)); // after which it is replaced
        builder = builder.reaper_rate(Duration::from_secs(10)); // between two checks of that
    }
    builder.build_unchecked(manager) // connects on first use
}

#[tokio::main]
async fn main() {
    let capabilities = ["transaction", "deadline", "multi_host", "tls"];
    adapter::hello("bb8-postgres", "bb8", &capabilities, None);
    let pool = Bb8(pool(adapter::is_tuned()));
    adapter::serve(vec![pool; CALLERS], std::future::pending()).await;
}
