//! Connections ended by their peers, by the nemesis, and with the gateway.

use std::collections::BTreeSet;

use super::*;

#[tokio::test(start_paused = true)]
async fn bytes_pass_and_each_side_ends_in_order() {
    let mut bench = HostBench::new();
    let (mut client, mut server) = bench.pair().await;
    let sent = pattern(1 << 20);
    let sending = {
        let sent = sent.clone();
        tokio::spawn(async move {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
            client
        })
    };
    assert!(read_out(&mut server).await == (sent, Ok(())));
    let mut client = sending.await.unwrap();
    server.write_all(b"well").await.unwrap();
    drop(server);
    assert_eq!(read_out(&mut client).await, (b"well".to_vec(), Ok(())));
    assert_eq!(bench.endings().await, [(1, Severed::ByClient)]);
    assert_eq!((bench.gateway.connections(), bench.gateway.clients_accepted()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_reset_on_one_side_is_a_reset_on_the_other() {
    let mut bench = HostBench::new();
    let (client, mut server) = bench.pair().await;
    client.reset();
    assert_eq!(read_out(&mut server).await.1, peers::by(Cut::Reset));
    let (mut client, server) = bench.pair().await;
    server.reset();
    assert_eq!(read_out(&mut client).await.1, peers::by(Cut::Reset));
    assert_eq!(bench.endings().await, [(1, Severed::ClientReset), (2, Severed::ServerReset)]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_an_rst() {
    let bench = HostBench::new();
    bench.gateway.route_to("10.0.0.9:5432".parse().unwrap());
    let mut client = bench.connect().unwrap();
    assert_eq!(read_out(&mut client).await, (Vec::new(), peers::by(Cut::Reset)));
    assert_eq!(bench.endings().await, [(1, Severed::Unreachable)]);
}

#[tokio::test(start_paused = true)]
async fn cut_ends_both_sides_in_connection_order() {
    for (cut, severed) in [(Cut::Close, Severed::Closed), (Cut::Reset, Severed::Reset)] {
        let mut bench = HostBench::new();
        let (clients, servers) = bench.pairs(20).await;
        assert_eq!(bench.gateway.cut(cut).await, 20);
        assert_eq!(bench.gateway.connections(), 0);
        for mut stream in clients.into_iter().chain(servers) {
            assert_eq!(read_out(&mut stream).await, (Vec::new(), peers::by(cut)));
        }
        assert_eq!(bench.endings().await, (1..=20).map(|id| (id, severed)).collect::<Vec<_>>());
        assert_eq!(bench.gateway.cut(cut).await, 0, "nothing is left to cut");
    }
}

#[tokio::test(start_paused = true)]
async fn cut_half_takes_the_oldest_and_cut_all_but_spares() {
    let mut bench = HostBench::new();
    let (clients, _servers) = bench.pairs(7).await;
    assert_eq!(bench.gateway.cut_half(Cut::Reset).await, 4);
    let held = BTreeSet::from([clients[5].address]);
    assert_eq!(bench.gateway.cut_all_but(&held, Cut::Reset).await, 2);
    let ended: Vec<_> = bench.endings().await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ended, [1, 2, 3, 4, 5, 7]);
}

#[tokio::test(start_paused = true)]
async fn cut_covers_connections_in_the_accept_queue() {
    let bench = HostBench::new();
    // No task of the gateway has run since these clients connected; one poll accepts fewer than 300.
    let clients: Vec<_> = (0..300).map(|_| bench.connect().unwrap()).collect();
    assert_eq!(bench.gateway.cut(Cut::Reset).await, 300);
    for mut client in clients {
        assert_eq!(read_out(&mut client).await.1, peers::by(Cut::Reset));
    }
}

#[tokio::test(start_paused = true)]
async fn closing_leaves_no_task_behind() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for is_closed_first in [true, false] {
        let mut bench = HostBench::new();
        // One is idle, one is draining, and one has a pending toxic.
        let (mut clients, _servers) = bench.pairs(2).await;
        bench.gateway.cut(Cut::Close).await;
        clients.push(bench.pair().await.0);
        bench.gateway.install("late", RuleKind::Toxic(LATE.into())).await;
        clients[2].write_all(b"late").await.unwrap();
        settle().await;
        assert!(tasks() > before);
        if is_closed_first {
            bench.gateway.close().await;
            assert_eq!(tasks(), before);
            assert!(bench.connect().is_err(), "the listener is gone");
        }
        let HostBench { gateway, .. } = bench;
        drop(gateway);
        settle().await;
        assert_eq!(tasks(), before);
        assert_eq!(read_out(&mut clients[2]).await.1, peers::by(Cut::Reset));
    }
}

const LATE: ToxicKind = ToxicKind::Latency { delay: Duration::from_secs(3600), jitter: Duration::ZERO };
