//! Stalls: the gateway holds bytes until the rule is removed.

use super::*;
use crate::gateway::{Cut, Rule, RuleKind};

/// Waits until the rule has counted this many bytes as held.
async fn withheld(stall: &Rule, bytes: u64) {
    in_time(async {
        while stall.tally.bytes() < bytes {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_eq!(stall.tally.bytes(), bytes);
}

#[tokio::test]
async fn removed_stall_delivers_all_held_bytes() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    assert_passes(&mut client, &mut server).await;
    let stall = bench.stall().await;
    client.write_all(b"one").await.unwrap();
    server.write_all(b"seven").await.unwrap();
    withheld(&stall, 8).await;
    client.write_all(b" two").await.unwrap();
    server.write_all(b" eight").await.unwrap();
    assert_silence(&mut client).await;
    assert_silence(&mut server).await;
    bench.gateway.remove(&stall).await;
    client.write_all(b" three").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read_out(&mut server).await, (b"one two three".to_vec(), Ok(())));
    drop(server);
    assert_eq!(read_out(&mut client).await, (b"seven eight".to_vec(), Ok(())));
    assert_eq!(bench.endings(1).await, [(Severed::ByClient, 23, 11)]);
}

#[tokio::test]
async fn stall_holds_connections_opened_later() {
    let bench = GatewayBench::new().await;
    let stall = bench.stall().await;
    let (mut client, mut server) = bench.pair().await;
    client.write_all(b"hello").await.unwrap();
    assert_silence(&mut server).await;
    withheld(&stall, 5).await;
    bench.gateway.remove(&stall).await;
    let mut received = [0; 5];
    in_time(server.read_exact(&mut received)).await.unwrap();
    assert_eq!(&received, b"hello");
    assert_passes(&mut server, &mut client).await;
}

#[tokio::test]
async fn removed_stall_delivers_bytes_then_fin() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let (mut other_client, mut other_server) = bench.pair().await;
    let stall = bench.stall().await;
    client.write_all(b"farewell").await.unwrap();
    drop(client);
    other_server.write_all(b"FATAL").await.unwrap();
    drop(other_server);
    assert_silence(&mut server).await;
    assert_silence(&mut other_client).await;
    assert_eq!(bench.gateway.connections(), 2);
    bench.gateway.remove(&stall).await;
    assert_eq!(read_out(&mut server).await, (b"farewell".to_vec(), Ok(())));
    assert_eq!(read_out(&mut other_client).await, (b"FATAL".to_vec(), Ok(())));
    drop((server, other_client));
    assert_eq!(bench.endings(2).await, [(Severed::ByClient, 8, 0), (Severed::ByServer, 0, 5)]);
}

#[tokio::test]
async fn the_end_of_an_idle_connection_is_held_too() {
    let bench = GatewayBench::new().await;
    let (client, mut server) = bench.pair().await;
    let (other_client, mut other_server) = bench.pair().await;
    let stall = bench.stall().await;
    drop(client);
    leave_by_rst(other_client);
    assert_silence(&mut server).await;
    assert_silence(&mut other_server).await;
    bench.gateway.remove(&stall).await;
    assert_fin(&mut server).await;
    assert_rst(&mut other_server).await;
    drop(server);
    assert_eq!(bench.endings(2).await, [(Severed::ByClient, 0, 0), (Severed::ClientReset, 0, 0)]);
}

#[tokio::test]
async fn stall_holds_the_news_of_an_unreachable_server() {
    let bench = GatewayBench::new().await;
    bench.gateway.route_to(unused_address().await);
    let stall = bench.stall().await;
    let mut client = bench.connect().await;
    assert_silence(&mut client).await;
    bench.gateway.remove(&stall).await;
    assert_rst(&mut client).await;
    assert_eq!(bench.endings(1).await, [(Severed::Unreachable, 0, 0)]);
}

#[tokio::test]
async fn large_amounts_come_through_whole() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let sent = pattern(4 << 20);
    let stall = bench.stall().await;
    let sending = {
        let sent = sent.clone();
        tokio::spawn(async move { client.write_all(&sent).await })
    };
    assert_silence(&mut server).await;
    assert!(stall.tally.bytes() > 0);
    bench.gateway.remove(&stall).await;
    let (received, end) = read_out(&mut server).await;
    assert_eq!(end, Ok(()));
    assert!(received == sent, "{} of {} bytes, or not the same", received.len(), sent.len());
    sending.await.unwrap().unwrap();
    drop(server);
    assert_eq!(bench.endings(1).await, [(Severed::ByClient, 4 << 20, 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalls_that_come_and_go_lose_nothing() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let sent = pattern(8 << 20);
    let sending = {
        let sent = sent.clone();
        tokio::spawn(async move { client.write_all(&sent).await })
    };
    let receiving = tokio::spawn(async move { read_out(&mut server).await });
    for _ in 0..50 {
        let stall = bench.stall().await;
        sleep(Duration::from_millis(1)).await;
        bench.gateway.remove(&stall).await;
        sleep(Duration::from_millis(1)).await;
    }
    let (received, end) = in_time(receiving).await.unwrap();
    assert_eq!(end, Ok(()));
    assert!(received == sent);
    sending.await.unwrap().unwrap();
    assert_eq!(bench.endings(1).await, [(Severed::ByClient, 8 << 20, 0)]);
}

#[tokio::test]
async fn stall_holds_bytes_waiting_for_a_slow_peer() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let sent = pattern(32 << 20);
    let sending = {
        let sent = sent.clone();
        tokio::spawn(async move { client.write_all(&sent).await })
    };
    // The peer does not read, so every buffer fills, and the gateway holds unsent bytes.
    sleep(WATCH).await;
    let stall = bench.stall().await;
    in_time(async {
        while stall.tally.bytes() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    // Bytes already given to the kernel arrive, and then no more.
    let mut received = vec![0; sent.len()];
    let mut length = 0;
    while let Ok(read) = timeout(WATCH, server.read(&mut received[length..])).await {
        length += read.unwrap();
    }
    assert!(length < sent.len());
    bench.gateway.remove(&stall).await;
    in_time(server.read_exact(&mut received[length..])).await.unwrap();
    assert!(received == sent);
    in_time(sending).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stall_does_not_hold_up_the_nemesis() {
    let bench = GatewayBench::new().await;
    for (cut, by) in [(Cut::Reset, Severed::Reset), (Cut::Close, Severed::Closed)] {
        let (mut client, mut server) = bench.pair().await;
        let stall = bench.stall().await;
        client.write_all(b"held").await.unwrap();
        assert_silence(&mut server).await;
        assert_eq!(bench.gateway.cut(cut).await, 1);
        let expected = if cut == Cut::Reset { Err(io::ErrorKind::ConnectionReset) } else { Ok(()) };
        assert_eq!(read_out(&mut client).await, (Vec::new(), expected));
        assert_eq!(read_out(&mut server).await, (Vec::new(), expected));
        assert_eq!(bench.endings(bench.opened()).await.last(), Some(&(by, 0, 0)));
        bench.gateway.remove(&stall).await;
    }
}

#[tokio::test]
async fn stall_with_close_after_closes_the_connection() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    assert_passes(&mut client, &mut server).await;
    let stall = ToxicKind::Stall { close_after: Some(Duration::from_millis(100)) };
    bench.gateway.install("stall", RuleKind::Toxic(stall.into())).await;
    client.write_all(b"lost").await.unwrap();
    assert_eq!(read_out(&mut server).await, (Vec::new(), Ok(())));
    assert_eq!(read_out(&mut client).await, (Vec::new(), Ok(())));
}
