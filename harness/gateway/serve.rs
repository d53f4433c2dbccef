//! Serves one accepted client: connects to the server, negotiates TLS, carries bytes, and shuts down.

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
use super::shutdown::Shutdown;
use super::tap::Tap;
use super::tls::{EncryptedLeg, Termination, asks_for_tls};
use super::transport::{Dialer, Socket};
use super::types::Cut;
use crate::model::fault::Strike;
use crate::model::history::Severed;
use crate::model::seed::Seed;

/// Longest wait for a connection to the server. On loopback it is immediate; through a tunnel a second round trip may
/// be needed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The parameters of an accepted client's connection.
pub(crate) struct Accepted {
    /// Number of the connection.
    pub id: u64,
    /// Address of the server.
    pub upstream: SocketAddr,
    /// How to terminate TLS, if at all.
    pub termination: Option<Termination>,
    /// Rules in force at the start.
    pub rules: Rules,
    pub commands: mpsc::UnboundedReceiver<Command>,
    pub seed: Seed,
    pub tap: Arc<dyn Tap>,
}

/// Carries a client's connection until it ends; returns how, and the bytes carried up and down.
pub(crate) async fn serve_client<D: Dialer>(
    accepted: Accepted,
    dialer: &D,
    client: io::Result<D::Socket>,
) -> (Shutdown<D::Socket>, (u64, u64)) {
    let Accepted { id, upstream, termination, rules, commands, seed, tap } = accepted;
    let mut connection = Connection::new(D::CLOCK, seed, ProtocolObserver::new(id, tap), rules, commands);
    let shutdown = match client {
        Ok(client) => run_connection(&mut connection, dialer, client, upstream, termination.as_ref()).await,
        // The client's socket is already closed.
        Err(error) => {
            connection.observer().doubt(format!("cannot accept a connection: {error}"));
            Shutdown::in_order(Severed::Teardown)
        }
    };
    (shutdown, connection.carried())
}

async fn run_connection<D: Dialer>(
    connection: &mut Connection,
    dialer: &D,
    mut client: D::Socket,
    upstream: SocketAddr,
    termination: Option<&Termination>,
) -> Shutdown<D::Socket> {
    // Owned here from the start, not by a future that connects, so that the socket can be reset at any time.
    let mut server = match dialer.begin_to_connect(upstream) {
        Ok(server) => server,
        Err(_) => return Shutdown::by_reset(Severed::Unreachable, [client]),
    };
    let connecting = timeout(CONNECT_TIMEOUT, dialer.connected(&mut server));
    let connected = match unless_ended(connection, connecting).await {
        Ok(connected) => connected.map_err(io::Error::from).flatten(),
        // The server may already have accepted, so its socket is shut down too.
        Err(end) => return shut_down(end, client, Some(server)),
    };
    if let Err(error) = connected {
        let end = poll_fn(|cx| connection.poll_failure(cx, &mut client)).await;
        return match (end, error.kind()) {
            // A failing connect is refused or times out; this one succeeded and was reset at once.
            (End::Broken(_), io::ErrorKind::ConnectionReset) => Shutdown::by_reset(Severed::ServerReset, [client]),
            (end, _) => shut_down(end, client, None),
        };
    }
    let ended = match termination {
        // Boxed: TLS is rare, and the future of a handshake is large.
        Some(termination) => Box::pin(run_encrypted(connection, termination, &mut client, &mut server)).await,
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
            shut_down(end, client, None)
        }
        end => shut_down(end, client, Some(server)),
    }
}

/// Negotiates TLS and carries the session to its end; `None`: the session is not encrypted and still to be carried.
async fn run_encrypted<S: Socket>(
    connection: &mut Connection,
    termination: &Termination,
    client: &mut S,
    server: &mut S,
) -> Option<End> {
    match negotiate_tls(connection, termination, client, server).await {
        Ok(Some([mut near, mut far])) => Some(poll_fn(|cx| connection.poll(cx, &mut near, &mut far)).await),
        Ok(None) => None,
        Err(end) => Some(end),
    }
}

/// Negotiates TLS on both legs if the client requests it; `None`: the session continues unencrypted.
///
/// *Errors*: the connection has ended.
async fn negotiate_tls<'a, S: Socket>(
    connection: &mut Connection,
    termination: &Termination,
    client: &'a mut S,
    server: &'a mut S,
) -> Result<Option<[EncryptedLeg<'a, S>; 2]>, End> {
    match unless_ended(connection, asks_for_tls(client)).await? {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(_) => return Err(End::Broken(Severed::ClientReset)),
    }
    match connection.request_encryption() {
        None => {}
        Some((Strike::Reset, _)) => return Err(End::Cut(Cut::Reset, None)),
        Some((Strike::Close, _)) => return Err(End::Cut(Cut::Close, None)),
        // A drop acts as a hold, because the client sends nothing more until this message is answered.
        Some((Strike::Hold | Strike::Drop, rule)) => poll_fn(|cx| connection.poll_gate(cx, rule)).await?,
    }
    match unless_ended(connection, termination.establish(client, server)).await? {
        Ok(legs) => Ok(legs),
        Err(failure) => Err(connection.handshake_failed(failure)),
    }
}

/// Runs `work` unless the connection ends first.
///
/// *Errors*: the connection has ended by a command or a toxic.
async fn unless_ended<T>(connection: &mut Connection, work: impl Future<Output = T>) -> Result<T, End> {
    let mut work = pin!(work);
    poll_fn(|cx| match connection.poll_early(cx) {
        Poll::Ready(end) => Poll::Ready(Err(end)),
        Poll::Pending => work.as_mut().poll(cx).map(Ok),
    })
    .await
}

fn shut_down<S: Socket>(end: End, client: S, server: Option<S>) -> Shutdown<S> {
    let sockets = std::iter::once(client).chain(server);
    match end {
        End::InOrder(by) => Shutdown::in_order(by),
        // An RST from one side is passed on to the other.
        End::Broken(by) => Shutdown::by_reset(by, sockets),
        End::Cut(cut, done) => Shutdown::by_cut(cut, done, sockets),
        End::Teardown | End::ServerSide => Shutdown::by_reset(Severed::Teardown, sockets),
    }
}
