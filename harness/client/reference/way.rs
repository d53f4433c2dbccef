//! How a built-in client gets to its servers: over the machine's network, or over one that somebody else has made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{CancelToken, Config, NoTls};

use super::behaviour::{Behaviour, Keepalive};
use super::connection::Driven;
use super::lookup::Found;
use super::plaintext::AsksOnly;
use crate::environment::network::transport::{Dial, KeepaliveTimes, SocketOptions};
use crate::history::{ErrorKind, OpError};

/// The way to the servers.
#[derive(Clone)]
pub(super) enum Way {
    /// The library connects by itself.
    Machine,
    /// Streams are made for it.
    #[cfg_attr(not(feature = "simulation"), expect(dead_code, reason = "only simulations have another network"))]
    Other(Arc<dyn Dial>),
}

impl Way {
    /// Asks the server to cancel what runs on a session. `at`: where that is, on a network of somebody else's.
    pub async fn cancel(&self, token: CancelToken, at: Option<SocketAddr>) {
        // Without an answer the statement takes too long all the same.
        match (self, at) {
            (Way::Machine, _) => drop(token.cancel_query(NoTls).await),
            (Way::Other(dial), Some(at)) => {
                if let Ok(stream) = dial.dial(at, SocketOptions::default()).await {
                    drop(token.cancel_query_raw(stream, NoTls).await);
                }
            }
            (Way::Other(_), None) => {}
        }
    }
}

/// Connects to the first of these places that will do, as the library would by itself: each has its time to connect, and
/// is left where it is not the kind of server that is asked for.
pub(super) async fn connect(
    config: &Config,
    dial: &dyn Dial,
    places: &[Found],
    behaviour: &Behaviour,
) -> Result<Driven, OpError> {
    let mut last = OpError::new(ErrorKind::Other, "no address to connect to");
    for (place, ip) in places {
        match connect_to(config, dial, SocketAddr::new(*ip, place.port), behaviour).await {
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
    behaviour: &Behaviour,
) -> Result<Driven, OpError> {
    let options = SocketOptions { keepalive: keepalive(behaviour.keepalive), user_timeout: behaviour.user_timeout };
    let dialled = dial.dial(at, options);
    let stream = match behaviour.deadlines.connect {
        Some(limit) => timeout(limit, dialled).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?,
        None => dialled.await?,
    };
    let (client, connection) = config.connect_raw(stream, AsksOnly).await?;
    let driven = Driven::new(client, connection, Some(at));
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

fn keepalive(keepalive: Keepalive) -> Option<KeepaliveTimes> {
    match keepalive {
        Keepalive::Off => None,
        Keepalive::System => Some(KeepaliveTimes::SYSTEM),
        Keepalive::After { idle, interval, probes } => Some(KeepaliveTimes { idle, interval, probes }),
    }
}
