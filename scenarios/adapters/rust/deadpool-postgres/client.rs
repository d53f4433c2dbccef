//! deadpool-postgres: a pool of four; a client goes back to it when it is dropped.
//! As in https://docs.rs/deadpool-postgres/latest/deadpool_postgres/#example

mod adapter;
mod database;

use std::time::Duration;

use adapter::{CALLERS, Failure, Op, READ, WORKERS, WRITE, Worker};
use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Timeouts};

#[derive(Clone)]
struct Deadpool(Pool);

impl Worker for Deadpool {
    async fn perform(&mut self, op: Op, key: i64) -> Result<Option<bool>, Failure> {
        let mut client = self.0.get().await?;
        match op {
            Op::Read => {
                let read = client.prepare_cached(READ).await?;
                return Ok(Some(client.query_opt(&read, &[&key]).await?.is_some()));
            }
            Op::Write => {
                let write = client.prepare_cached(WRITE).await?;
                client.execute(&write, &[&key]).await?;
            }
            Op::Transaction => {
                let transaction = client.transaction().await?;
                transaction.query_one("SELECT 1", &[]).await?;
                let write = transaction.prepare_cached(WRITE).await?;
                transaction.execute(&write, &[&key]).await?;
                transaction.commit().await?;
            }
        }
        Ok(None)
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Failure {
        let message = error.to_string();
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(_) => Failure { message, kind: Some("timeout"), ..Failure::default() },
            _ => Failure { message, ..Failure::default() },
        }
    }
}

fn pool(tuned: bool) -> Pool {
    // Before a client is handed out, its own flag is checked; `Verified` runs an empty query instead.
    let recycling_method = if tuned { RecyclingMethod::Verified } else { RecyclingMethod::default() };
    let (config, recycling) = (database::config(tuned), ManagerConfig { recycling_method });
    let manager = Manager::from_config(config, database::tls(), recycling);
    let mut builder = Pool::builder(manager).max_size(WORKERS);
    if tuned {
        builder = builder.runtime(Runtime::Tokio1).timeouts(Timeouts {
            wait: Some(Duration::from_secs(10)),   // for a free client
            create: Some(Duration::from_secs(5)),  // the whole of connecting
            recycle: Some(Duration::from_secs(5)), // the query that verifies
        });
    }
    builder.build().expect("the pool is set up rightly")
}

#[tokio::main]
async fn main() {
    let capabilities = ["transaction", "deadline", "multi_host", "tls"];
    adapter::hello("deadpool-postgres", "deadpool-postgres", &capabilities, None);
    let pool = Deadpool(pool(adapter::is_tuned()));
    adapter::serve(vec![pool; CALLERS], std::future::pending()).await;
}
