//! Dropped connection state: half-open connections, and silently dropped ones.

use super::*;
use crate::gateway::{Cut, DropState, RuleKind};

#[tokio::test]
async fn half_open_resets_server_now_and_client_on_next_send() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let rule = bench.install_rule(RuleKind::DropState(DropState::ServerSide)).await;
    assert_rst(&mut server).await;
    assert_silence(&mut client).await;
    assert_eq!(rule.tally.strikes(), 0);
    client.write_all(b"are you there?").await.unwrap();
    assert_rst(&mut client).await;
    assert_eq!(rule.tally.strikes(), 1);
    assert_eq!(bench.endings(1).await, [(Severed::Forgotten, 0, 0)]);
    let (mut client, mut server) = bench.pair().await;
    assert_passes(&mut client, &mut server).await;
}

#[tokio::test]
async fn half_open_connection_survives_rule_removal() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let rule = bench.install_rule(RuleKind::DropState(DropState::ServerSide)).await;
    assert_rst(&mut server).await;
    bench.remove(&rule).await;
    assert_silence(&mut client).await;
    client.write_all(b"?").await.unwrap();
    assert_rst(&mut client).await;
    assert_eq!(bench.doubts(), 0);
}

#[tokio::test]
async fn half_open_connection_is_cut_and_closed_with_gateway() {
    let bench = GatewayBench::new().await;
    let (mut clients, _servers) = bench.pairs(2).await;
    let (mut late, mut first) = (clients.pop().unwrap(), clients.pop().unwrap());
    bench.install_rule(RuleKind::DropState(DropState::ServerSide)).await;
    assert_eq!(bench.gateway.cut(Cut::Close).await, 2);
    assert_fin(&mut first).await;
    assert_fin(&mut late).await;
    let (mut client, mut server) = bench.pair().await;
    bench.install_rule(RuleKind::DropState(DropState::ServerSide)).await;
    assert_rst(&mut server).await;
    in_time(bench.gateway.close()).await;
    assert_rst(&mut client).await;
}

#[tokio::test]
async fn silent_drop_resets_both_sides_on_next_send() {
    for client_sends in [true, false] {
        let bench = GatewayBench::new().await;
        let (mut client, mut server) = bench.pair().await;
        let rule = bench.install_rule(RuleKind::DropState(DropState::Silently)).await;
        assert_silence(&mut client).await;
        assert_silence(&mut server).await;
        let speaker = if client_sends { &mut client } else { &mut server };
        speaker.write_all(b"are you there?").await.unwrap();
        assert_rst(&mut client).await;
        assert_rst(&mut server).await;
        assert_eq!(rule.tally.strikes(), 1);
        assert_eq!(bench.endings(1).await, [(Severed::Forgotten, 0, 0)]);
    }
}

#[tokio::test]
async fn removed_silent_drop_restores_an_unused_flow() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    for _ in 0..50 {
        let rule = bench.install_rule(RuleKind::DropState(DropState::Silently)).await;
        bench.remove(&rule).await;
        assert_passes(&mut client, &mut server).await;
        assert_passes(&mut server, &mut client).await;
        assert_eq!(rule.tally.strikes(), 0);
    }
    drop(client);
    assert_fin(&mut server).await;
}

#[tokio::test]
async fn earlier_half_close_does_not_strike_dropped_state() {
    for forget in [DropState::Silently, DropState::ServerSide] {
        let bench = GatewayBench::new().await;
        let (mut client, mut server) = bench.pair().await;
        client.shutdown().await.unwrap();
        assert_fin(&mut server).await;
        let rule = bench.install_rule(RuleKind::DropState(forget)).await;
        assert_silence(&mut client).await;
        assert_eq!(rule.tally.strikes(), 0);
        if forget == DropState::Silently {
            assert_eq!(
                timeout(WATCH, server.read_u8()).await.unwrap().unwrap_err().kind(),
                io::ErrorKind::UnexpectedEof
            );
            server.write_all(b"reply").await.unwrap();
            assert_rst(&mut client).await;
        }
    }
}

#[tokio::test]
async fn commands_apply_to_connections_with_dropped_state() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let forgotten = bench.install_rule(RuleKind::DropState(DropState::Silently)).await;
    let stall = bench.stall().await;
    bench.remove(&forgotten).await;
    client.write_all(b"held").await.unwrap();
    assert_silence(&mut server).await;
    let forgotten = bench.install_rule(RuleKind::DropState(DropState::Silently)).await;
    bench.remove(&stall).await;
    assert_silence(&mut server).await;
    bench.remove(&forgotten).await;
    let mut received = [0; 4];
    in_time(server.read_exact(&mut received)).await.unwrap();
    bench.install_rule(RuleKind::DropState(DropState::Silently)).await;
    assert_eq!(bench.gateway.cut(Cut::Reset).await, 1);
    assert_rst(&mut client).await;
    assert_eq!(bench.doubts(), 0);
}
