//! Tests of the network, in virtual time.

mod basics;

use std::future::Future;
use std::net::SocketAddr;

use tokio::runtime::Builder;
use tokio::time::Instant;

use super::*;
use crate::environment::network::transport::{Host, Socket, SocketOptions};

/// Where tests listen.
fn server() -> SocketAddr {
    (SERVERS[0], 5432).into()
}

/// Runs something on a network of its own.
fn simulate<T, F: Future<Output = T>>(test: impl FnOnce(Network) -> F) -> T {
    simulate_with(Seed(1), test)
}

fn simulate_with<T, F: Future<Output = T>>(seed: Seed, test: impl FnOnce(Network) -> F) -> T {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async move {
        let network = Network::open(seed).unwrap();
        network.start();
        test(network).await
    })
}

/// A connection, and how it was accepted.
async fn pair(network: &Network, options: SocketOptions) -> (SimSocket, SimSocket) {
    let host = network.servers();
    let mut listener = host.listen((SERVERS[0], 0).into()).unwrap();
    let at = listener.address();
    let caller = network.client();
    let (client, accepted) = tokio::join!(caller.connect(at, options), host.accept(&mut listener));
    (client.unwrap(), accepted.unwrap().0)
}

/// How long something takes. *Units*: seconds.
async fn timed<T>(what: impl Future<Output = T>) -> (T, f64) {
    let began = Instant::now();
    let done = what.await;
    (done, began.elapsed().as_secs_f64())
}
