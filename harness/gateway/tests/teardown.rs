//! Closing and dropping the gateway.

use std::io::Read;
use std::{fs, thread};

use super::alone::alone;
use super::sockets::sockets;
use super::*;
use crate::gateway::Cut;

#[tokio::test]
async fn closing_ends_every_connection_and_leaves_no_socket() {
    let bench = GatewayBench::new().await;
    let ports = bench.ports();
    let before = sockets(ports);
    assert_eq!(before, 2, "the two listeners");
    let (clients, servers) = bench.pairs(200).await;
    until(|| sockets(ports) == before + 4 * 200).await;
    bench.gateway.close().await;
    assert_eq!(bench.gateway.connections(), 0);
    for mut stream in clients.into_iter().chain(servers) {
        assert_rst(&mut stream).await;
    }
    // The kernel's table does not list sockets that have been reset.
    assert_eq!(sockets(ports), 1, "the server's own listener");
    assert_eq!(bench.endings(200).await, [(Severed::Teardown, 0, 0); 200]);
    assert_eq!(bench.doubts(), 0);

    let error = TcpStream::connect(bench.gateway.address()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(bench.gateway.accept().await.is_err(), "what is closed stays closed");
    bench.gateway.close().await;
}

#[test]
fn no_descriptor_is_left() {
    if alone(module_path!(), "no_descriptor_is_left").is_some() {
        return;
    }
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let before = open();
        for cut in [None, Some(Cut::Close), Some(Cut::Reset)] {
            let bench = GatewayBench::new().await;
            let peers = bench.pairs(200).await;
            assert!(open() >= before + 4 * 200);
            if let Some(cut) = cut {
                assert_eq!(bench.gateway.cut(cut).await, 200);
            }
            bench.gateway.close().await;
            drop((bench, peers));
            assert_eq!(open(), before, "{cut:?}");
        }
    });
}

#[tokio::test]
async fn close_does_not_wait_for_stalls_or_slow_readers() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let chunk = vec![7; 64 << 10];
    while timeout(WATCH, server.write(&chunk)).await.is_ok() {}
    bench.stall().await;
    client.write_all(b"held").await.unwrap();
    in_time(bench.gateway.close()).await;
    assert_eq!(read_out(&mut server).await.1, Err(io::ErrorKind::ConnectionReset));
    assert_eq!(bench.endings(1).await[0].0, Severed::Teardown);
    assert_eq!(bench.doubts(), 0);
}

#[tokio::test]
async fn the_last_handle_takes_everything_with_it() {
    let GatewayBench { gateway, recorder, server } = GatewayBench::new().await;
    let address = gateway.address();
    let other = gateway.clone();
    let bench = GatewayBench { gateway, recorder, server };
    let (mut client, mut served) = bench.pair().await;
    let GatewayBench { gateway, recorder, server } = bench;
    drop(gateway);
    assert_passes(&mut client, &mut served).await;
    drop(other);
    assert_rst(&mut client).await;
    assert_rst(&mut served).await;
    in_time(async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let torn_down = |event: &Event| {
        matches!(event, Event::Connection { change: ConnectionChange::Ended { by: Severed::Teardown, .. }, .. })
    };
    in_time(async {
        while !recorder.look(|history| history.events.iter().any(torn_down)) {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    drop(server);
}

#[test]
fn a_gateway_dropped_after_its_runtime_leaves_no_socket_open() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(GatewayBench::new());
    let (client, served) = runtime.block_on(bench.pair());
    let peers = [client, served].map(|peer| peer.into_std().unwrap());
    runtime.shutdown_timeout(PATIENCE);
    drop(bench);
    for mut peer in peers {
        peer.set_nonblocking(false).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let end = thread::spawn(move || peer.read(&mut [0; 16])).join().unwrap();
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
