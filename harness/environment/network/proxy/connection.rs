//! The life of one proxied connection, and its end: in order, by RST, or by the nemesis.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::link::{self, Direction, LinkError, Traffic};
use super::toxic::Toxics;
use crate::environment::network::gateway::{Cut, Order};
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
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> Severed {
    // Without this, small replies wait for the peer's delayed acknowledgement: 42 ms each (FACTS §8).
    let _ = client.set_nodelay(true);
    let connected = tokio::select! {
        connected = timeout(CONNECT_PATIENCE, TcpStream::connect(upstream)) => connected.ok().and_then(Result::ok),
        order = orders.recv() => return end(order, client, None),
    };
    let Some(mut server) = connected else {
        reset(client);
        return Severed::Unreachable;
    };
    let _ = server.set_nodelay(true);

    let ended = {
        let (client_read, client_write) = client.split();
        let (server_read, server_write) = server.split();
        let mut first_to_finish = None;
        let up = async {
            link::run(Direction::Upstream, client_read, server_write, toxics.clone(), traffic)
                .await
                .map(|()| Severed::ByClient)
                .map_err(|error| blame(error, Severed::ClientReset, Severed::ServerReset))
        };
        let down = async {
            link::run(Direction::Downstream, server_read, client_write, toxics.clone(), traffic)
                .await
                .map(|()| Severed::ByServer)
                .map_err(|error| blame(error, Severed::ServerReset, Severed::ClientReset))
        };
        tokio::pin!(up, down);
        let (mut up_done, mut down_done) = (false, false);
        loop {
            let finished = tokio::select! {
                finished = &mut up, if !up_done => { up_done = true; finished }
                finished = &mut down, if !down_done => { down_done = true; finished }
                order = orders.recv() => break Err(order),
            };
            match finished {
                Ok(by) => {
                    let first = *first_to_finish.get_or_insert(by);
                    if up_done && down_done {
                        break Ok(Ok(first));
                    }
                }
                Err(by) => break Ok(Err(by)),
            }
        }
    };
    match ended {
        Ok(Ok(by)) => by,
        Ok(Err(by)) => {
            // A reset on one side is a reset on the other.
            reset(client);
            reset(server);
            by
        }
        Err(order) => end(order, client, Some(server)),
    }
}

/// Who is to blame for a link's failure: the peer at its failing end.
fn blame(error: LinkError, source: Severed, target: Severed) -> Severed {
    match error {
        LinkError::Source(_) => source,
        LinkError::Target(_) => target,
    }
}

/// Carries out an order of the nemesis; no order means that the gateway itself is gone.
fn end(order: Option<Order>, client: TcpStream, server: Option<TcpStream>) -> Severed {
    let Some(Order { cut, done }) = order else { return Severed::Teardown };
    let by = match cut {
        Cut::Close => {
            finish(client);
            server.into_iter().for_each(finish);
            Severed::Closed
        }
        Cut::Reset => {
            reset(client);
            server.into_iter().for_each(reset);
            Severed::Reset
        }
    };
    // Nobody waits for it if the run is being torn down.
    let _ = done.send(());
    by
}

/// Ends a connection as an exiting process does: FIN, then RST to whatever still arrives.
fn finish(stream: TcpStream) {
    // The kernel sends RST instead of FIN while unread bytes are in its buffer, so take them out first.
    let mut scrap = [0; 4096];
    loop {
        match stream.try_read(&mut scrap) {
            Ok(length) if length > 0 => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => break,
        }
    }
}

/// Ends a connection by RST, whatever is unsent or unread.
fn reset(stream: TcpStream) {
    // With no lingering, close() sends RST. If the socket is already dead there is nobody to tell.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}
