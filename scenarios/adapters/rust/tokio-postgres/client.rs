//! tokio-postgres without a pool: a connection for each worker, and one more that listens. The library does
//! not reconnect; the worker opens a new connection when its own is reported as closed.
//! As in https://docs.rs/tokio-postgres/latest/tokio_postgres/#example

mod adapter;
mod database;
mod subscription;

use std::future::poll_fn;
use std::iter::repeat_with;
use std::time::Duration;

use adapter::{Failure, Op, READ, WORKERS, WRITE, Worker};
use postgres_native_tls::MakeTlsConnector;
use subscription::Subscription;
use tokio_postgres::{AsyncMessage, Client, Config};

/// Pause between two attempts to listen.
const PAUSE: Duration = Duration::from_secs(1);

struct Connection {
    config: Config,
    tls: MakeTlsConnector,
    client: Option<Client>,
}

impl Worker for Connection {
    async fn perform(&mut self, op: Op, key: i64) -> Result<Option<bool>, Failure> {
        let client = self.client().await?;
        match op {
            Op::Read => return Ok(Some(client.query_opt(READ, &[&key]).await?.is_some())),
            Op::Write => drop(client.execute(WRITE, &[&key]).await?),
            Op::Transaction => {
                let transaction = client.transaction().await?;
                transaction.query_one("SELECT 1", &[]).await?;
                transaction.execute(WRITE, &[&key]).await?;
                transaction.commit().await?;
            }
        }
        Ok(None)
    }
}

impl Connection {
    async fn client(&mut self) -> Result<&mut Client, tokio_postgres::Error> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => {
                let (client, connection) = self.config.connect(self.tls.clone()).await?;
                // Drives the session until the connection breaks or the client is dropped.
                tokio::spawn(async {
                    if let Err(error) = connection.await {
                        eprintln!("connection error: {error}");
                    }
                });
                client
            }
        };
        Ok(self.client.insert(client))
    }
}

/// Listens until the process ends. A subscription ends with its connection; the library does not renew it.
async fn listen(config: Config, tls: MakeTlsConnector) {
    let mut subscription = Subscription::default();
    loop {
        if let Err(error) = listen_once(&config, &tls, &mut subscription).await {
            eprintln!("not listening: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(
    config: &Config,
    tls: &MakeTlsConnector,
    subscription: &mut Subscription,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(tls.clone()).await?;
    let listening = client.batch_execute("LISTEN pgsquall_news");
    tokio::pin!(listening);
    let mut listens = false;
    loop {
        tokio::select! {
            result = &mut listening, if !listens => {
                result?;
                listens = true;
                subscription.had();
            }
            message = poll_fn(|context| connection.poll_message(context)) => match message {
                Some(Ok(AsyncMessage::Notification(news))) => subscription.heard(news.payload()),
                Some(Ok(_)) => {} // a notice
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            }
        }
    }
}

#[tokio::main]
async fn main() {
    let capabilities = ["transaction", "listen", "deadline", "multi_host", "tls"];
    adapter::hello("tokio-postgres", "tokio-postgres", &capabilities, None);
    let (config, tls) = (database::config(adapter::is_tuned()), database::tls());
    let worker = || Connection { config: config.clone(), tls: tls.clone(), client: None };
    adapter::serve(repeat_with(worker).take(WORKERS).collect(), listen(config, tls)).await;
}
