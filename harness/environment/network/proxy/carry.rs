//! From a client that was taken in to a connection that has ended.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::connection::{Connection, End};
use super::ending::{Ending, reset};
use super::leg::Leg;
use super::order::Order;
use super::rule::Rules;
use super::watcher::Watcher;
use crate::environment::network::tap::Tap;
use crate::history::Severed;
use crate::seed::Seed;

/// Longest wait for the server to take a connection. On loopback it is there or it is not; through a tunnel a second
/// round trip may be needed.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A client that was taken in, and all that its connection needs.
pub(in crate::environment::network) struct Guest {
    /// The number of its connection.
    pub id: u64,
    pub stream: std::net::TcpStream,
    /// Where the server is.
    pub upstream: SocketAddr,
    /// What is in force when it comes.
    pub rules: Rules,
    pub orders: mpsc::UnboundedReceiver<Order>,
    pub seed: Seed,
    pub tap: Arc<dyn Tap>,
}

/// Carries one client's connection until it ends; says how, and what it carried up and down.
pub(in crate::environment::network) async fn carry(guest: Guest) -> (Ending, (u64, u64)) {
    let Guest { id, stream, upstream, rules, orders, seed, tap } = guest;
    let mut connection = Connection::new(seed, Watcher::new(id, tap), rules, orders);
    let ending = match TcpStream::from_std(stream) {
        Ok(client) => serve(&mut connection, client, upstream).await,
        // Dropped with an RST, as the kernel does for what nobody could take.
        Err(error) => {
            connection.watcher().doubt(format!("a connection could not be taken in: {error}"));
            Ending::in_order(Severed::Teardown)
        }
    };
    (ending, connection.carried())
}

async fn serve(connection: &mut Connection, mut client: TcpStream, upstream: SocketAddr) -> Ending {
    // Without this, small replies wait for the peer's delayed acknowledgement: 42 ms each (FACTS §8).
    let _ = client.set_nodelay(true);
    let server = match begin_to_connect(upstream) {
        Ok(server) => server,
        Err(_) => return Ending::by_reset(Severed::Unreachable, [client]),
    };
    let _ = server.set_nodelay(true);
    let connected = {
        let connecting = timeout(CONNECT_PATIENCE, connect(&server));
        tokio::pin!(connecting);
        poll_fn(|cx| match connection.poll_orders(cx) {
            Poll::Ready(end) => Poll::Ready(Err(end)),
            Poll::Pending => {
                connecting.as_mut().poll(cx).map(|connected| Ok(connected.map_err(io::Error::from).flatten()))
            }
        })
        .await
    };
    match connected {
        Ok(Ok(())) => run(connection, client, server).await,
        // The server may have taken the connection before we have looked, so that it too is to be told.
        Err(end) => conclude(end, client, Some(server)),
        // A connect that fails is refused or times out; this one succeeded, and was reset before we looked.
        Ok(Err(error)) => {
            let end = poll_fn(|cx| connection.poll_failure(cx, &mut client)).await;
            match (end, error.kind()) {
                (End::Broken(_), io::ErrorKind::ConnectionReset) => Ending::by_reset(Severed::ServerReset, [client]),
                (end, _) => conclude(end, client, None::<TcpStream>),
            }
        }
    }
}

/// Carries bytes between two legs until the connection ends.
async fn run(connection: &mut Connection, mut client: impl Leg, mut server: impl Leg) -> Ending {
    match poll_fn(|cx| connection.poll(cx, &mut client, &mut server)).await {
        End::ServerSide => {
            reset(server.into_tcp());
            let end = poll_fn(|cx| connection.poll_half_open(cx, &mut client)).await;
            conclude(end, client, None::<TcpStream>)
        }
        end => conclude(end, client, Some(server)),
    }
}

fn conclude(end: End, client: impl Leg, server: Option<impl Leg>) -> Ending {
    let sockets = std::iter::once(client.into_tcp()).chain(server.map(Leg::into_tcp));
    match end {
        End::InOrder(by) => Ending::in_order(by),
        // A reset on one side is a reset on the other.
        End::Broken(by) => Ending::by_reset(by, sockets),
        End::Cut(cut, done) => Ending::by_cut(cut, done, sockets),
        End::Teardown | End::ServerSide => Ending::by_reset(Severed::Teardown, sockets),
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

/// Waits until the server has taken the connection.
async fn connect(server: &TcpStream) -> io::Result<()> {
    server.writable().await?;
    match server.take_error()? {
        Some(error) => Err(error),
        None => server.peer_addr().map(drop),
    }
}
