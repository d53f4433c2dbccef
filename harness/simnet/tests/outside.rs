//! Sockets and networks used after the end of their simulation, or on another thread.

use super::*;
use crate::gateway::transport::Dialer;

/// Asserts the error of a socket that is used outside its network.
fn assert_is_outside<T: std::fmt::Debug>(result: io::Result<T>) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains("outside its simulation"), "{error}");
}

/// A network with its runtime and a connection, for tests that drop them in various orders.
fn parts() -> (Runtime, Network, SimSocket, SimSocket) {
    let runtime = runtime();
    let network = runtime.block_on(async { Network::open(Seed(1)).unwrap() });
    let (client, server) = runtime.block_on(async {
        network.start();
        pair(&network, SocketOptions::default()).await
    });
    (runtime, network, client, server)
}

#[test]
fn network_and_runtime_can_be_dropped_in_either_order() {
    let (runtime, network, client, server) = parts();
    runtime.spawn(async move {
        let _held = (client, server);
        std::future::pending::<()>().await;
    });
    runtime.block_on(tokio::task::yield_now());
    drop(network);
    drop(runtime);

    let (runtime, network, client, server) = parts();
    runtime.spawn(async move {
        let _held = (client, server);
        std::future::pending::<()>().await;
    });
    runtime.block_on(tokio::task::yield_now());
    drop(runtime);
    assert_eq!(network.flows().unwrap().len(), 1, "closing takes packets, and the task that carries them is gone");
    drop(network);
}

#[test]
fn socket_after_its_network_fails_without_side_effects() {
    let (runtime, network, mut client, server) = parts();
    let host = network.client();
    let listener = network.servers().listen((SERVERS[0], 1).into()).unwrap();
    let calling = host.begin_to_connect((SERVERS[0], 1).into()).unwrap();
    let filter = network.filter();
    drop(network);
    runtime.block_on(async {
        assert_is_outside(client.read_u8().await);
        assert_is_outside(client.write_all(b"x").await);
        assert_is_outside(host.connect((SERVERS[0], 1).into(), SocketOptions::default()).await);
        assert_is_outside(client.cut_off());
    });
    assert_is_outside(filter.install(HOLE, None));
    server.reset();
    // The old socket must not affect the next network, whose sockets have the same numbers.
    let second = runtime.block_on(async { Network::open(Seed(2)).unwrap() });
    runtime.block_on(async {
        second.start();
        let (mut other, accepted) = pair(&second, SocketOptions::default()).await;
        echo(accepted);
        assert_is_outside(client.write_all(b"x").await);
        drop((client, listener, calling));
        ask(&mut other).await.unwrap();
    });
}

#[test]
fn socket_on_another_thread_fails_without_side_effects() {
    let (runtime, network, mut client, server) = parts();
    std::thread::spawn(move || {
        run_on_own_runtime(async {
            assert_is_outside(client.read_u8().await);
        });
        drop(client);
    })
    .join()
    .unwrap();
    assert_eq!(network.flows().unwrap().len(), 1);
    drop((server, runtime, network));
}

fn run_on_own_runtime(what: impl Future<Output = ()>) {
    runtime().block_on(what);
}

#[test]
fn leaked_network_is_harmless_at_thread_end() {
    std::thread::spawn(|| {
        let (runtime, network, client, server) = parts();
        std::mem::forget((network, client, server));
        drop(runtime);
    })
    .join()
    .unwrap();
}

#[test]
fn each_thread_can_have_one_network() {
    let network = runtime().block_on(async { Network::open(Seed(1)).unwrap() });
    assert_eq!(Network::open(Seed(2)).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    std::thread::spawn(|| drop(Network::open(Seed(2)).unwrap())).join().unwrap();
    drop(network);
    drop(Network::open(Seed(3)).unwrap());
}

#[test]
fn time_stands_still_while_a_thread_blocks() {
    simulate(|network| async move {
        let (mut chatty, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        let chat = tokio::spawn(async move {
            for _ in 0..1_000 {
                ask(&mut chatty).await.unwrap();
            }
        });
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(3)).await;
            let block = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(20)));
            let (blocked, took) = timed(block).await;
            blocked.unwrap();
            assert!(!chat.is_finished() && took == 0.0, "{took} s");
        }
        let ((), took) = timed(async { chat.await.unwrap() }).await;
        assert!(took > 1.9, "each ping and its reply take 2 ms: {took} s");
    });
}
