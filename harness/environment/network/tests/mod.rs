//! The gateway between plain TCP peers: what either sees of what the other does, and of what the nemesis does.

mod cut;
mod ends;
mod refuse;
mod stall;
mod teardown;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_server;
mod transfer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::{Gateway, Rule, What};
use crate::budget::Budget;
use crate::fault::{Class, ToxicKind};
use crate::history::{ConnectionChange, Event, Header, Severed};
use crate::load::Load;
use crate::recorder::Recorder;
use crate::seed::Seed;

/// How long a slow, busy machine may take for what takes microseconds; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a test watches that nothing happens.
const WATCH: Duration = Duration::from_millis(150);

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes far too long")
}

fn recorder() -> Recorder {
    let header = Header {
        format: 1,
        pgsquall: String::new(),
        scenario: String::new(),
        title: String::new(),
        class: Class::Transient,
        client: String::new(),
        seed: Seed(0),
        repeat: 0,
        repeats: 1,
        faults: Vec::new(),
        precedes_client: false,
        budget: Budget::default(),
        load: Load::default(),
        middlebox: None,
    };
    Recorder::begin(header, None, None)
}

/// A gateway, and the server it leads to.
struct Bench {
    gateway: Gateway,
    recorder: Recorder,
    server: TcpListener,
}

impl Bench {
    async fn new() -> Bench {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let recorder = recorder();
        let gateway = Gateway::open(server.local_addr().unwrap(), Seed(0), Arc::new(recorder.clone())).unwrap();
        Bench { gateway, recorder, server }
    }

    /// Holds every byte on every connection.
    async fn stall(&self) -> Arc<Rule> {
        let stall = What::Toxic(ToxicKind::Stall { close_after: None }.into());
        in_time(self.gateway.impose("stall", stall)).await
    }

    async fn connect(&self) -> TcpStream {
        in_time(TcpStream::connect(self.gateway.address())).await.unwrap()
    }

    /// Both ends of a connection through the gateway: the client's and the server's.
    async fn pair(&self) -> (TcpStream, TcpStream) {
        let client = self.connect().await;
        let (server, _) = in_time(self.server.accept()).await.unwrap();
        (client, server)
    }

    async fn pairs(&self, count: usize) -> (Vec<TcpStream>, Vec<TcpStream>) {
        let mut pairs = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (client, server) = self.pair().await;
            pairs.0.push(client);
            pairs.1.push(server);
        }
        pairs
    }

    /// How the connections ended, in the order of their numbers, once `count` have; with the bytes carried up and down.
    async fn endings(&self, count: usize) -> Vec<(Severed, u64, u64)> {
        let look = || {
            let mut found: Vec<_> = self.recorder.look(|history| {
                let ended = |event: &Event| match *event {
                    Event::Connection { id, change: ConnectionChange::Ended { by, upstream, downstream }, .. } => {
                        Some((id, (by, upstream, downstream)))
                    }
                    _ => None,
                };
                history.events.iter().filter_map(ended).collect()
            });
            found.sort_by_key(|(id, _)| *id);
            found.into_iter().map(|(_, ending)| ending).collect::<Vec<_>>()
        };
        in_time(async {
            while look().len() < count {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        assert_eq!(self.opened(), count, "one record of its beginning for each");
        look()
    }

    fn opened(&self) -> usize {
        let opened = |event: &&Event| matches!(event, Event::Connection { change: ConnectionChange::Opened, .. });
        self.recorder.look(|history| history.events.iter().filter(opened).count())
    }

    fn doubts(&self) -> usize {
        self.recorder.look(|history| history.events.iter().filter(|event| matches!(event, Event::Doubt { .. })).count())
    }
}

/// Reads to the end of the stream, and says how that came: in order, or by which error.
async fn read_out(stream: &mut TcpStream) -> (Vec<u8>, Result<(), io::ErrorKind>) {
    let mut bytes = Vec::new();
    let end = in_time(stream.read_to_end(&mut bytes)).await;
    (bytes, end.map(|_| ()).map_err(|error| error.kind()))
}

/// The peer has sent FIN, and nothing before it.
async fn assert_fin(stream: &mut TcpStream) {
    assert_eq!(read_out(stream).await, (Vec::new(), Ok(())), "a FIN and nothing else");
}

/// The peer has sent RST, and nothing before it.
async fn assert_rst(stream: &mut TcpStream) {
    assert_eq!(read_out(stream).await, (Vec::new(), Err(io::ErrorKind::ConnectionReset)), "an RST and nothing else");
}

/// Nothing arrives for a while, neither bytes nor an end.
async fn assert_silence(stream: &mut TcpStream) {
    let arrived = timeout(WATCH, stream.read_u8()).await;
    assert!(arrived.is_err(), "something arrived: {arrived:?}");
}

async fn assert_passes(from: &mut TcpStream, to: &mut TcpStream) {
    in_time(from.write_all(b"still here")).await.unwrap();
    let mut bytes = [0; 10];
    in_time(to.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"still here");
}

/// Leaves by RST, as a process does that is killed with unread bytes in its socket.
fn leave_by_rst(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

async fn nobody_listens() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Bytes in which one that is missing, doubled or out of place shows.
fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}
