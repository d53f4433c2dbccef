//! TCP: connects to each address in turn, as libpq does, until one accepts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{no_reply, socket_failure, timed};
use crate::doctor::facts::{Failure, Timed};

/// The result for every address tried.
pub(super) type Dials = Vec<(SocketAddr, Timed<Result<(), Failure>>)>;

/// Connects to the addresses in turn; returns the results, and the first stream that was accepted.
pub(super) async fn dial(addresses: &[IpAddr], port: u16, time_limit: Duration) -> (Dials, Option<TcpStream>) {
    let mut dials = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        let dialled = timed(connect(address, time_limit)).await;
        let (result, stream) = match dialled.result {
            Ok(stream) => (Ok(()), Some(stream)),
            Err(failure) => (Err(failure), None),
        };
        dials.push((address, Timed { took: dialled.took, result }));
        if stream.is_some() {
            return (dials, stream);
        }
    }
    (dials, None)
}

async fn connect(address: SocketAddr, time_limit: Duration) -> Result<TcpStream, Failure> {
    let stream = timeout(time_limit, TcpStream::connect(address))
        .await
        .map_err(|_| no_reply("reply to the SYN", time_limit))?
        .map_err(|error| socket_failure(&error))?;
    stream.set_nodelay(true).map_err(|error| socket_failure(&error))?;
    Ok(stream)
}
