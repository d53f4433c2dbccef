//! The network between a built-in client and its servers: the operating system's, or a custom one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{CancelToken, Config, NoTls};

use super::behaviour::{Behaviour, Keepalive};
use super::connection::PgSession;
use super::encryption::{Connector, Handshake, handshake};
use super::errors::from_postgres_error;
use super::lookup::ResolvedHost;
#[cfg(feature = "tls")]
use crate::credentials::wall_clock::WallClock;
use crate::gateway::transport::{Dial, KeepaliveTimes, SocketOptions, Stream};
use crate::model::history::{ErrorKind, OpError};

/// The network to the servers.
#[derive(Clone)]
pub(super) enum Transport {
    /// The library opens sockets by itself.
    Os,
    /// Another network provides the streams.
    #[cfg_attr(not(feature = "simulation"), expect(dead_code, reason = "only simulations have another network"))]
    Custom(Arc<dyn Dial>),
}

impl Transport {
    /// The clock for the validity of the servers' certificates.
    #[cfg(feature = "tls")]
    pub fn wall_clock(&self) -> WallClock {
        match self {
            Transport::Os => WallClock::Machine,
            Transport::Custom(dial) => dial.wall_clock(),
        }
    }

    /// Requests cancellation of a session's statement. `at`: the server's address on a custom network.
    pub async fn cancel(&self, token: CancelToken, at: Option<SocketAddr>) {
        // If the request fails, the statement runs into its timeout anyway.
        match (self, at) {
            (Transport::Os, _) => drop(token.cancel_query(NoTls).await),
            (Transport::Custom(dial), Some(at)) => {
                if let Ok(stream) = dial.dial(at, SocketOptions::default()).await {
                    drop(token.cancel_query_raw(stream, NoTls).await);
                }
            }
            (Transport::Custom(_), None) => {}
        }
    }
}

/// Connects to the first suitable host, as the library does on OS sockets: each host has its own connect timeout, and
/// is skipped if it is not the requested kind of server.
pub(super) async fn connect(
    config: &Config,
    dial: &dyn Dial,
    hosts: &[ResolvedHost],
    connector: &Connector,
    behaviour: &Behaviour,
) -> Result<PgSession, OpError> {
    let mut last = OpError::new(ErrorKind::Other, "no address to connect to");
    for (place, ip) in hosts {
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
) -> Result<PgSession, OpError> {
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

/// Logs in on a stream. A separate function with a boxed future, because otherwise the compiler cannot prove the
/// stream's lifetime, and rejects the caller's future as not `Send`.
fn sign_in(
    config: &Config,
    stream: Box<dyn Stream>,
    tls: Handshake,
    at: SocketAddr,
) -> BoxFuture<'_, Result<PgSession, OpError>> {
    let connected = config.connect_raw(stream, tls);
    Box::pin(
        connected
            .map_ok(move |(client, connection)| PgSession::new(client, connection, Some(at)))
            .map_err(from_postgres_error),
    )
}

fn keepalive(keepalive: Keepalive) -> Option<KeepaliveTimes> {
    match keepalive {
        Keepalive::Off => None,
        Keepalive::System => Some(KeepaliveTimes::SYSTEM),
        Keepalive::After { idle, interval, probes } => Some(KeepaliveTimes { idle, interval, probes }),
    }
}
