//! The gateway on a host of another network, in virtual time: it behaves as on the operating system's.

mod control;
mod ends;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use super::bench::recorder;
use super::*;
use crate::gateway::samples::{Memory, MemoryListener, MemorySocket};
use crate::gateway::transport::{Host, Socket};
use crate::gateway::{Cut, Gateway, RuleKind};
use crate::model::seed::Seed;
use crate::recorder::Recorder;

/// Address of the gateway.
const GATEWAY: &str = "10.0.0.2:5432";

/// Address of the server.
const SERVER: &str = "10.0.0.3:5432";

/// A gateway, and its server.
struct HostBench {
    network: Memory,
    gateway: Gateway,
    recorder: Recorder,
    server: MemoryListener,
}

impl HostBench {
    fn new() -> HostBench {
        let (network, recorder) = (Memory::default(), recorder());
        let server = network.listen(SERVER.parse().unwrap()).unwrap();
        let (at, upstream) = (GATEWAY.parse().unwrap(), SERVER.parse().unwrap());
        let gateway =
            Gateway::open_on_host(network.clone(), at, upstream, Seed(0), Arc::new(recorder.clone())).unwrap();
        HostBench { network, gateway, recorder, server }
    }

    fn connect(&self) -> io::Result<MemorySocket> {
        self.network.connect(self.gateway.address())
    }

    async fn pair(&mut self) -> (MemorySocket, MemorySocket) {
        let client = self.connect().unwrap();
        let (server, _) = self.network.accept(&mut self.server).await.unwrap();
        (client, server)
    }

    async fn pairs(&mut self, count: usize) -> (Vec<MemorySocket>, Vec<MemorySocket>) {
        let mut pairs = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (client, server) = self.pair().await;
            pairs.0.push(client);
            pairs.1.push(server);
        }
        pairs
    }

    /// Returns how the connections ended, with their numbers, in the order of their ends.
    async fn endings(&self) -> Vec<(u64, Severed)> {
        settle().await;
        self.recorder.look(|history| {
            let ended = |event: &Event| match *event {
                Event::Connection { id, change: ConnectionChange::Ended { by, .. }, .. } => Some((id, by)),
                _ => None,
            };
            history.events.iter().filter_map(ended).collect()
        })
    }
}

/// Lets every task run; a millisecond of virtual time passes once all are idle.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

async fn read_out(stream: &mut MemorySocket) -> (Vec<u8>, Result<(), io::ErrorKind>) {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    (bytes, end.map(drop).map_err(|error| error.kind()))
}

async fn passes(from: &mut MemorySocket, to: &mut MemorySocket) {
    from.write_all(b"still here").await.unwrap();
    let mut bytes = [0; 10];
    to.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"still here");
}

/// Asserts that nothing arrives for an hour of virtual time, neither bytes nor FIN or RST.
async fn assert_nothing_comes(stream: &mut MemorySocket) {
    let arrived = timeout(Duration::from_secs(3600), stream.read_u8()).await;
    assert!(arrived.is_err(), "something arrived: {arrived:?}");
}
