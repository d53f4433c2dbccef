//! Tests of the simulated server, through tokio-postgres and as bytes on the wire.

mod ends;
mod garbage;
mod parity;
mod raw;
mod refusals;
mod standby;
#[cfg(feature = "tls")]
mod tls;
mod waits;
mod workload;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, SimpleQueryMessage};

use super::{Postgres, Settings, SignIn};
use crate::gateway::samples::{Memory, MemorySocket};
use crate::model::seed::Seed;
use crate::server::bootstrap::{DATABASE, ROLE};

const PASSWORD: &str = "a-password";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn address(last: u8) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, last), 5432).into()
}

/// A server, and the network to reach it.
struct Bench {
    lan: Memory,
    server: Postgres<Memory>,
}

/// A client with the asynchronous messages that it has received.
struct Signed {
    client: Client,
    unasked: mpsc::UnboundedReceiver<Said>,
}

/// A notice, a notification, or the end of the connection.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Notice(String),
    News(String),
    End(String),
}

impl Bench {
    async fn new() -> Bench {
        Bench::with(Settings::default()).await
    }

    async fn of(major: u32) -> Bench {
        Bench::with(Settings { major, ..Settings::default() }).await
    }

    async fn with(settings: Settings) -> Bench {
        let lan = Memory::default();
        let settings = Settings { password: PASSWORD.into(), ..settings };
        let server = Postgres::start(lan.clone(), address(1), settings, Seed(7)).await.unwrap();
        Bench { lan, server }
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.user(ROLE).password(PASSWORD).dbname(DATABASE);
        config
    }

    async fn client(&self) -> Signed {
        self.sign_in(&self.config()).await.unwrap()
    }

    /// Signs in; returns an error as one line.
    async fn sign_in(&self, config: &Config) -> Result<Signed, String> {
        sign_in(&self.lan, self.server.address(), config).await
    }

    /// The error of a sign-in with the right password, as one line.
    async fn refusal(&self) -> String {
        self.sign_in(&self.config()).await.map(drop).unwrap_err()
    }

    fn dial(&self) -> MemorySocket {
        self.lan.connect(self.server.address()).unwrap()
    }
}

async fn sign_in(lan: &Memory, at: SocketAddr, config: &Config) -> Result<Signed, String> {
    let socket = lan.connect(at).map_err(|error| error.kind().to_string())?;
    let connected = timeout(Duration::from_secs(300), config.connect_raw(socket, NoTls)).await.unwrap();
    let (client, mut connection) = connected.map_err(|error| told(&error))?;
    let (sender, unasked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = poll_fn(|context| connection.poll_message(context));
        while let Some(message) = messages.next().await {
            let said = match message {
                Ok(AsyncMessage::Notice(notice)) => {
                    Said::Notice(format!("{} {} {}", notice.severity(), notice.code().code(), notice.message()))
                }
                Ok(AsyncMessage::Notification(news)) => Said::News(format!("{}: {}", news.channel(), news.payload())),
                Ok(_) => continue,
                Err(error) => Said::End(told(&error)),
            };
            let ended = matches!(said, Said::End(_));
            // A connection that has ended returns its error at every poll.
            if sender.send(said).is_err() || ended {
                return;
            }
        }
    });
    Ok(Signed { client, unasked })
}

/// An error as `SEVERITY CODE text`, or the error's own text if it is not the server's.
fn told(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => {
            let extra = [db.detail(), db.hint()].into_iter().flatten().map(|text| format!(" / {text}"));
            format!("{} {} {}{}", db.severity(), db.code().code(), db.message(), extra.collect::<String>())
        }
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl Signed {
    /// Rows and tags of a simple query, as in `1|2 #1`, or the error.
    async fn simple(&self, sql: &str) -> String {
        let messages = match self.client.simple_query(sql).await {
            Ok(messages) => messages,
            Err(error) => return told(&error),
        };
        let mut found = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    let cells = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL"));
                    found.push(cells.collect::<Vec<_>>().join("|"));
                }
                SimpleQueryMessage::CommandComplete(count) => found.push(format!("#{count}")),
                _ => {}
            }
        }
        found.join(" ")
    }

    async fn next(&mut self) -> Said {
        timeout(Duration::from_secs(300), self.unasked.recv()).await.expect("nothing comes").expect("it has ended")
    }

    /// Asserts that no asynchronous message has arrived or arrives within 100 ms.
    async fn hears_nothing(&mut self) {
        if let Ok(Some(said)) = timeout(ms(100), self.unasked.recv()).await {
            panic!("{said:?}");
        }
    }
}
