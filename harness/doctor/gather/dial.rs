//! TCP: each address in turn, as libpq tries them, until one lets us in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{of_socket, silence, timed};
use crate::doctor::facts::{Failure, Timed};

/// What came of every address that was tried.
pub(super) type Dials = Vec<(SocketAddr, Timed<Result<(), Failure>>)>;

pub(super) async fn dial(addresses: &[IpAddr], port: u16, patience: Duration) -> (Dials, Option<TcpStream>) {
    let mut dials = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        let dialled = timed(connect(address, patience)).await;
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

async fn connect(address: SocketAddr, patience: Duration) -> Result<TcpStream, Failure> {
    let stream = timeout(patience, TcpStream::connect(address))
        .await
        .map_err(|_| silence("answer to the SYN", patience))?
        .map_err(|error| of_socket(&error))?;
    stream.set_nodelay(true).map_err(|error| of_socket(&error))?;
    Ok(stream)
}
