//! Transfers without any rule.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_amounts_both_ways_at_once_arrive_whole() {
    let bench = GatewayBench::new().await;
    let (up, down) = (pattern(24 << 20), pattern((24 << 20) + 12_345));
    let (client, server) = bench.pair().await;
    let (received_down, received_up) =
        in_time(async { tokio::join!(exchange(client, up.clone()), exchange(server, down.clone())) }).await;
    assert!(received_up == up && received_down == down);
    let (_, carried_up, carried_down) = bench.endings(1).await[0];
    assert_eq!((carried_up, carried_down), (up.len() as u64, down.len() as u64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_do_not_mix() {
    let bench = GatewayBench::new().await;
    let (clients, servers) = bench.pairs(30).await;
    let tasks: Vec<_> = clients
        .into_iter()
        .zip(servers)
        .enumerate()
        .map(|(number, (client, server))| {
            let (up, down) = (pattern(100_000 + number), pattern(50_000 + number));
            tokio::spawn(async move {
                let (received_down, received_up) =
                    tokio::join!(exchange(client, up.clone()), exchange(server, down.clone()));
                assert!(received_up == up && received_down == down);
            })
        })
        .collect();
    for task in tasks {
        in_time(task).await.unwrap();
    }
    for (number, (_, up, down)) in bench.endings(30).await.into_iter().enumerate() {
        assert_eq!((up, down), (100_000 + number as u64, 50_000 + number as u64));
    }
}
