//! The life of one proxied connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::ending::Ending;
use super::link::{self, Direction, LinkError, Traffic};
use super::old_toxic::{Toxics, pass_stall};
use super::order::Orders;
use crate::history::Severed;

/// Longest wait for the server to take a connection. On loopback it is there or it is not; through a tunnel a second
/// round trip may be needed.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Carries one client's connection to `upstream` until it ends; says who ended it.
pub(in crate::environment::network) async fn carry(
    mut client: TcpStream,
    upstream: SocketAddr,
    toxics: watch::Receiver<Toxics>,
    traffic: &Traffic<'_>,
    mut orders: Orders,
) -> Ending {
    let mut server = match begin_to_connect(upstream) {
        Ok(server) => server,
        Err(_) => return Ending::by_reset(Severed::Unreachable, [client]),
    };
    let connected = tokio::select! {
        connected = connect(&server, toxics.clone(), traffic) => connected,
        // The server may have taken the connection before we have looked, so that it too is to be told.
        order = orders.next() => return Ending::by_order(order, [client, server]),
    };
    match connected {
        Ok(()) => {}
        // A connect that fails is refused or times out; this one succeeded, and was reset before we looked.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
            return Ending::by_reset(Severed::ServerReset, [client]);
        }
        Err(_) => return Ending::by_reset(Severed::Unreachable, [client]),
    }
    // Without this, small replies wait for the peer's delayed acknowledgement: 42 ms each (FACTS §8).
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);

    let ended = tokio::select! {
        ended = run_links(&mut client, &mut server, &toxics, traffic) => Ok(ended),
        order = orders.next() => Err(order),
    };
    match ended {
        Ok(Ok(by)) => Ending::in_order(by),
        // A reset on one side is a reset on the other.
        Ok(Err(by)) => Ending::by_reset(by, [client, server]),
        Err(order) => Ending::by_order(order, [client, server]),
    }
}

/// A socket that connects to the server. It is ours from the first, unlike one inside a future of tokio's.
fn begin_to_connect(upstream: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(upstream), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&upstream.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => TcpStream::from_std(socket.into()),
    }
}

/// Waits until the server has taken the connection. That it cannot be reached passes a stall no sooner than anything
/// else it has to say.
async fn connect(server: &TcpStream, mut toxics: watch::Receiver<Toxics>, traffic: &Traffic<'_>) -> io::Result<()> {
    let connected = timeout(CONNECT_PATIENCE, server.writable()).await.map_err(io::Error::from).flatten();
    let connected = connected.and_then(|()| match server.take_error()? {
        Some(error) => Err(error),
        None => server.peer_addr().map(drop),
    });
    if connected.is_err() {
        pass_stall(&mut toxics, 0, traffic).await;
    }
    connected
}

/// Runs both links. `Ok`: both sides finished in order, and who was first; `Err`: one of them failed, and by whom.
async fn run_links(
    client: &mut TcpStream,
    server: &mut TcpStream,
    toxics: &watch::Receiver<Toxics>,
    traffic: &Traffic<'_>,
) -> Result<Severed, Severed> {
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    let up = link::run(Direction::Upstream, client_read, server_write, toxics.clone(), traffic);
    let down = link::run(Direction::Downstream, server_read, client_write, toxics.clone(), traffic);
    tokio::pin!(up, down);
    tokio::select! {
        finished = &mut up => match finished {
            Ok(()) => down.await.map(|()| Severed::ByClient).map_err(|error| match error {
                // It has left, so that what reached it later was answered with RST.
                LinkError::Target => Severed::ByClient,
                LinkError::Source => Severed::ServerReset,
            }),
            Err(LinkError::Source) => Err(Severed::ClientReset),
            Err(LinkError::Target) => Err(Severed::ServerReset),
        },
        finished = &mut down => match finished {
            Ok(()) => up.await.map(|()| Severed::ByServer).map_err(|error| match error {
                LinkError::Target => Severed::ByServer,
                LinkError::Source => Severed::ClientReset,
            }),
            Err(LinkError::Source) => Err(Severed::ServerReset),
            Err(LinkError::Target) => Err(Severed::ClientReset),
        },
    }
}
