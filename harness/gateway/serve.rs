//! From a client that was taken in to a connection that has ended.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::command::Command;
use super::connection::{Connection, End};
use super::observer::ProtocolObserver;
use super::rule::Rules;
use super::shutdown::Ending;
use super::tap::Tap;
use super::tls::{Encrypted, Termination, asks_for_tls};
use super::transport::{Dialer, Socket};
use super::types::Cut;
use crate::model::fault::Strike;
use crate::model::history::Severed;
use crate::model::seed::Seed;

/// Longest wait for the server to take a connection. On loopback it is there or it is not; through a tunnel a second
/// round trip may be needed.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A client that was taken in, and all that its connection needs.
pub(crate) struct Accepted {
    /// The number of its connection.
    pub id: u64,
    /// Where the server is.
    pub upstream: SocketAddr,
    /// Whether TLS is ended here.
    pub termination: Option<Termination>,
    /// What is in force when it comes.
    pub rules: Rules,
    pub commands: mpsc::UnboundedReceiver<Command>,
    pub seed: Seed,
    pub tap: Arc<dyn Tap>,
}

/// Carries one client's connection until it ends; says how, and what it carried up and down.
pub(crate) async fn carry<D: Dialer>(
    guest: Accepted,
    dialer: &D,
    client: io::Result<D::Socket>,
) -> (Ending<D::Socket>, (u64, u64)) {
    let Accepted { id, upstream, termination, rules, commands, seed, tap } = guest;
    let mut connection = Connection::new(D::CLOCK, seed, ProtocolObserver::new(id, tap), rules, commands);
    let ending = match client {
        Ok(client) => serve(&mut connection, dialer, client, upstream, termination.as_ref()).await,
        // Dropped with an RST, as the kernel does for what nobody could take.
        Err(error) => {
            connection.watcher().doubt(format!("a connection could not be taken in: {error}"));
            Ending::in_order(Severed::Teardown)
        }
    };
    (ending, connection.carried())
}

async fn serve<D: Dialer>(
    connection: &mut Connection,
    dialer: &D,
    mut client: D::Socket,
    upstream: SocketAddr,
    termination: Option<&Termination>,
) -> Ending<D::Socket> {
    // It is ours from the first, unlike one inside a future that connects.
    let mut server = match dialer.begin_to_connect(upstream) {
        Ok(server) => server,
        Err(_) => return Ending::by_reset(Severed::Unreachable, [client]),
    };
    let connecting = timeout(CONNECT_PATIENCE, dialer.connected(&mut server));
    let connected = match unless_told(connection, connecting).await {
        Ok(connected) => connected.map_err(io::Error::from).flatten(),
        // The server may have taken the connection before we have looked, so that it too is to be told.
        Err(end) => return conclude(end, client, Some(server)),
    };
    if let Err(error) = connected {
        let end = poll_fn(|cx| connection.poll_failure(cx, &mut client)).await;
        return match (end, error.kind()) {
            // A connect that fails is refused or times out; this one succeeded, and was reset before we looked.
            (End::Broken(_), io::ErrorKind::ConnectionReset) => Ending::by_reset(Severed::ServerReset, [client]),
            (end, _) => conclude(end, client, None),
        };
    }
    let ended = match termination {
        // Boxed: few ask for it, and a handshake is large.
        Some(termination) => Box::pin(carry_secured(connection, termination, &mut client, &mut server)).await,
        None => None,
    };
    let end = match ended {
        Some(end) => end,
        None => poll_fn(|cx| connection.poll(cx, &mut client, &mut server)).await,
    };
    match end {
        End::ServerSide => {
            server.reset();
            let end = poll_fn(|cx| connection.poll_half_open(cx, &mut client)).await;
            conclude(end, client, None)
        }
        end => conclude(end, client, Some(server)),
    }
}

/// Carries what is said under TLS, to the end of the connection; `None`: it is not encrypted.
async fn carry_secured<S: Socket>(
    connection: &mut Connection,
    termination: &Termination,
    client: &mut S,
    server: &mut S,
) -> Option<End> {
    match secure(connection, termination, client, server).await {
        Ok(Some([mut near, mut far])) => Some(poll_fn(|cx| connection.poll(cx, &mut near, &mut far)).await),
        Ok(None) => None,
        Err(end) => Some(end),
    }
}

/// Puts TLS on both legs, where the client asks for it.
async fn secure<'a, S: Socket>(
    connection: &mut Connection,
    termination: &Termination,
    client: &'a mut S,
    server: &'a mut S,
) -> Result<Option<[Encrypted<'a, S>; 2]>, End> {
    match unless_told(connection, asks_for_tls(client)).await? {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(_) => return Err(End::Broken(Severed::ClientReset)),
    }
    match connection.request_encryption() {
        None => {}
        Some((Strike::Reset, _)) => return Err(End::Cut(Cut::Reset, None)),
        Some((Strike::Close, _)) => return Err(End::Cut(Cut::Close, None)),
        // Without this message there is nothing more that the client would send.
        Some((Strike::Hold | Strike::Drop, rule)) => poll_fn(|cx| connection.poll_gate(cx, rule)).await?,
    }
    match unless_told(connection, termination.establish(client, server)).await? {
        Ok(legs) => Ok(legs),
        Err(failure) => Err(connection.handshake_failed(failure)),
    }
}

/// Waits for something, unless the connection is told to end.
async fn unless_told<T>(connection: &mut Connection, work: impl Future<Output = T>) -> Result<T, End> {
    let mut work = pin!(work);
    poll_fn(|cx| match connection.poll_early(cx) {
        Poll::Ready(end) => Poll::Ready(Err(end)),
        Poll::Pending => work.as_mut().poll(cx).map(Ok),
    })
    .await
}

fn conclude<S: Socket>(end: End, client: S, server: Option<S>) -> Ending<S> {
    let sockets = std::iter::once(client).chain(server);
    match end {
        End::InOrder(by) => Ending::in_order(by),
        // A reset on one side is a reset on the other.
        End::Broken(by) => Ending::by_reset(by, sockets),
        End::Cut(cut, done) => Ending::by_cut(cut, done, sockets),
        End::Teardown | End::ServerSide => Ending::by_reset(Severed::Teardown, sockets),
    }
}
