//! How a built-in client gets to its servers: over the machine's network, or over one that somebody else has made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{CancelToken, Config, NoTls};

use super::behaviour::{Behaviour, Keepalive};
use super::connection::{Driven, told};
use super::encryption::{Connector, Handshake, handshake};
use super::lookup::Found;
#[cfg(feature = "tls")]
use crate::credentials::wall_clock::WallClock;
use crate::gateway::transport::{Dial, KeepaliveTimes, SocketOptions, Stream};
use crate::model::history::{ErrorKind, OpError};

/// The way to the servers.
#[derive(Clone)]
pub(super) enum Transport {
    /// The library connects by itself.
    Machine,
    /// Streams are made for it.
    #[cfg_attr(not(feature = "simulation"), expect(dead_code, reason = "only simulations have another network"))]
    Other(Arc<dyn Dial>),
}

impl Transport {
    /// By which clock the servers' certificates are valid.
    #[cfg(feature = "tls")]
    pub fn wall_clock(&self) -> WallClock {
        match self {
            Transport::Machine => WallClock::Machine,
            Transport::Other(dial) => dial.wall_clock(),
        }
    }

    /// Asks the server to cancel what runs on a session. `at`: where that is, on a network of somebody else's.
    pub async fn cancel(&self, token: CancelToken, at: Option<SocketAddr>) {
        // Without an answer the statement takes too long all the same.
        match (self, at) {
            (Transport::Machine, _) => drop(token.cancel_query(NoTls).await),
            (Transport::Other(dial), Some(at)) => {
                if let Ok(stream) = dial.dial(at, SocketOptions::default()).await {
                    drop(token.cancel_query_raw(stream, NoTls).await);
                }
            }
            (Transport::Other(_), None) => {}
        }
    }
}

/// Connects to the first of these places that will do, as the library would by itself: each has its time to connect, and
/// is left where it is not the kind of server that is asked for.
pub(super) async fn connect(
    config: &Config,
    dial: &dyn Dial,
    places: &[Found],
    connector: &Connector,
    behaviour: &Behaviour,
) -> Result<Driven, OpError> {
    let mut last = OpError::new(ErrorKind::Other, "no address to connect to");
    for (place, ip) in places {
        let tls = handshake(connector, &place.host);
        match connect_to(config, dial, SocketAddr::new(*ip, place.port), tls, behaviour).await {
            Ok(driven) => return Ok(driven),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect_to(
    config: &Config,
    dial: &dyn Dial,
    at: SocketAddr,
    tls: Handshake,
    behaviour: &Behaviour,
) -> Result<Driven, OpError> {
    let options = SocketOptions { keepalive: keepalive(behaviour.keepalive), user_timeout: behaviour.user_timeout };
    let dialled = dial.dial(at, options);
    let stream = match behaviour.deadlines.connect {
        Some(limit) => timeout(limit, dialled).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?,
        None => dialled.await?,
    };
    let driven = sign_in(config, stream, tls, at).await?;
    if config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite {
        let rows = driven.client.simple_query("SHOW transaction_read_only").await?;
        let is_read_only = rows.iter().any(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0) == Some("on"),
            _ => false,
        });
        if is_read_only {
            return Err(OpError::new(ErrorKind::Other, "the server does not take writes"));
        }
    }
    Ok(driven)
}

/// Signs in on a stream. Boxed in a function of its own: within another future the compiler loses sight of how long the
/// stream lives, and with it of whether all this may go to another thread.
fn sign_in(
    config: &Config,
    stream: Box<dyn Stream>,
    tls: Handshake,
    at: SocketAddr,
) -> BoxFuture<'_, Result<Driven, OpError>> {
    let connected = config.connect_raw(stream, tls);
    Box::pin(connected.map_ok(move |(client, connection)| Driven::new(client, connection, Some(at))).map_err(told))
}

fn keepalive(keepalive: Keepalive) -> Option<KeepaliveTimes> {
    match keepalive {
        Keepalive::Off => None,
        Keepalive::System => Some(KeepaliveTimes::SYSTEM),
        Keepalive::After { idle, interval, probes } => Some(KeepaliveTimes { idle, interval, probes }),
    }
}
