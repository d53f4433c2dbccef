//! Tests of the network, in virtual time.

mod basics;
mod chance;
mod endings;
mod filter;
mod idle;
mod loss;
mod outside;
mod patience;
mod turmoil;

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::*;
use crate::gateway::transport::{Host, KeepaliveTimes, Leg, Socket, SocketOptions};
use crate::model::fault::{Scope, Stream};

const HOLE: FilterRule = FilterRule::Blackhole { stream: Stream::Both, scope: Scope::Every };

fn runtime() -> Runtime {
    super::runtime().build().unwrap()
}

/// Runs a test on a new network.
fn simulate<T, F: Future<Output = T>>(test: impl FnOnce(Network) -> F) -> T {
    simulate_with(Seed(1), test)
}

fn simulate_with<T, F: Future<Output = T>>(seed: Seed, test: impl FnOnce(Network) -> F) -> T {
    runtime().block_on(async move {
        let network = Network::open(seed).unwrap();
        network.start();
        test(network).await
    })
}

/// The listen address of tests.
fn server() -> SocketAddr {
    (SERVERS[0], 5432).into()
}

/// A connection: the client's socket and the accepted one.
async fn pair(network: &Network, options: SocketOptions) -> (SimSocket, SimSocket) {
    pair_at(network, SERVERS[0], options).await
}

async fn pair_at(network: &Network, server: Ipv4Addr, options: SocketOptions) -> (SimSocket, SimSocket) {
    let host = network.servers();
    let mut listener = host.listen((server, 0).into()).unwrap();
    let at = listener.address();
    let caller = network.client();
    let (client, accepted) = tokio::join!(caller.connect(at, options), host.accept(&mut listener));
    (client.unwrap(), accepted.unwrap().0)
}

/// Echoes all data until the stream ends.
fn echo(mut socket: SimSocket) {
    tokio::spawn(async move {
        let mut bytes = [0; 1024];
        while let Ok(read @ 1..) = socket.read(&mut bytes).await {
            if socket.write_all(&bytes[..read]).await.is_err() {
                break;
            }
        }
    });
}

/// Sends a ping to an echo and waits for its reply.
async fn ask(client: &mut SimSocket) -> io::Result<()> {
    client.write_all(b"ping").await?;
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"ping");
    Ok(())
}

/// Awaits a future; returns its output and how long it took. *Units*: seconds.
async fn timed<T>(what: impl Future<Output = T>) -> (T, f64) {
    let began = Instant::now();
    let done = what.await;
    (done, began.elapsed().as_secs_f64())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn keepalive(idle: u64, interval: u64, probes: u32) -> SocketOptions {
    let times = KeepaliveTimes { idle: seconds(idle), interval: seconds(interval), probes };
    SocketOptions { keepalive: Some(times), user_timeout: None }
}

fn user_timeout(after: u64) -> SocketOptions {
    SocketOptions { keepalive: None, user_timeout: Some(seconds(after)) }
}

/// The value of a rule's counter. Panics if the rule has no such counter.
fn counted(network: &Network, rule: Installed, what: &str) -> u64 {
    let counts = network.filter().count(rule).unwrap();
    counts.iter().find(|(word, _)| *word == what).unwrap_or_else(|| panic!("{what} in {counts:?}")).1
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}
