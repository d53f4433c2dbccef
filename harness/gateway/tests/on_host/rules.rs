//! Rules in virtual time.

use super::*;
use crate::gateway::{DropState, Expiry, Rule};
use crate::model::fault::{CutPoint, Point, Strike};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn install(bench: &HostBench, toxic: ToxicKind) -> Arc<Rule> {
    bench.gateway.install("rule", RuleKind::Toxic(toxic.into())).await
}

#[tokio::test(start_paused = true)]
async fn a_latency_is_exactly_as_long_as_it_says() {
    let mut bench = HostBench::new();
    let (mut client, mut server) = bench.pair().await;
    let rule = install(&bench, ToxicKind::Latency { delay: ms(50), jitter: Duration::ZERO }).await;
    for _ in 0..3 {
        let began = Instant::now();
        passes(&mut client, &mut server).await;
        assert_eq!(began.elapsed(), ms(50));
        passes(&mut server, &mut client).await;
        assert_eq!(began.elapsed(), ms(100));
    }
    bench.gateway.remove(&rule).await;
    let began = Instant::now();
    passes(&mut client, &mut server).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(rule.tally.bytes(), 60);
}

#[tokio::test(start_paused = true)]
async fn equal_seeds_repeat_the_draws() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut bench = HostBench::new();
        let (mut client, mut server) = bench.pair().await;
        install(&bench, ToxicKind::Latency { delay: ms(50), jitter: ms(40) }).await;
        let mut took = Vec::new();
        for _ in 0..10 {
            let began = Instant::now();
            passes(&mut client, &mut server).await;
            took.push(began.elapsed());
        }
        runs.push(took);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].iter().any(|took| *took != runs[0][0]), "{:?}", runs[0]);
}

#[tokio::test(start_paused = true)]
async fn healed_stall_delivers_held_bytes() {
    let mut bench = HostBench::new();
    let (mut client, mut server) = bench.pair().await;
    let stall = install(&bench, ToxicKind::Stall { close_after: None }).await;
    client.write_all(b"held back!").await.unwrap();
    assert_nothing_comes(&mut server).await;
    bench.gateway.remove(&stall).await;
    let mut bytes = [0; 10];
    server.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"held back!");
}

#[tokio::test(start_paused = true)]
async fn a_cut_point_strikes_at_its_moment_of_the_protocol() {
    const STARTUP: &[u8] = b"\0\0\0\x11\0\x03\0\0user\0me\0\0";
    const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    const SELECT: &[u8] = b"Q\0\0\0\x0dselect 1\0";
    const SELECTED: &[u8] = b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";
    for (strike, cut) in [(Strike::Reset, Cut::Reset), (Strike::Close, Cut::Close)] {
        let mut bench = HostBench::new();
        let (mut client, mut server) = bench.pair().await;
        let point = CutPoint { point: Point::FirstReply, strike, times: Some(1) };
        let rule = bench.gateway.install("cut point", RuleKind::CutPoint(point)).await;
        let mut bytes = [0; 32];
        client.write_all(STARTUP).await.unwrap();
        server.read_exact(&mut bytes[..STARTUP.len()]).await.unwrap();
        server.write_all(WELCOME).await.unwrap();
        client.read_exact(&mut bytes[..WELCOME.len()]).await.unwrap();
        client.write_all(SELECT).await.unwrap();
        server.read_exact(&mut bytes[..SELECT.len()]).await.unwrap();
        server.write_all(SELECTED).await.unwrap();
        assert_eq!(read_out(&mut client).await, (Vec::new(), peers::by(cut)));
        assert_eq!(read_out(&mut server).await, (Vec::new(), peers::by(cut)));
        assert_eq!(rule.tally.strikes(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn idle_connection_expires_after_exactly_an_hour() {
    const HOUR: Duration = Duration::from_secs(3600);
    let mut bench = HostBench::new();
    let (mut client, mut server) = bench.pair().await;
    let rule = bench.gateway.install("idle", RuleKind::Idle { after: HOUR, then: Expiry::Cut(Cut::Close) }).await;
    sleep(HOUR - ms(1)).await;
    let moved = Instant::now();
    passes(&mut client, &mut server).await;
    assert_eq!(read_out(&mut client).await, (Vec::new(), Ok(())));
    assert_eq!(moved.elapsed(), HOUR);
    assert_eq!(rule.tally.strikes(), 1);
    assert_eq!(bench.endings().await, [(1, Severed::Closed)]);
}

#[tokio::test(start_paused = true)]
async fn half_open_connection_is_reset_on_next_client_send() {
    let mut bench = HostBench::new();
    let (mut client, mut server) = bench.pair().await;
    let rule = bench.gateway.install("half-open", RuleKind::DropState(DropState::ServerSide)).await;
    assert_eq!(read_out(&mut server).await.1, peers::by(Cut::Reset));
    assert_nothing_comes(&mut client).await;
    client.write_all(b"?").await.unwrap();
    assert_eq!(read_out(&mut client).await.1, peers::by(Cut::Reset));
    assert_eq!(rule.tally.strikes(), 1);
}
