//! Middleboxes that expire idle connections.

use super::*;
use crate::gateway::{Cut, Expiry, RuleKind};

/// The idle timeout.
const AFTER: Duration = Duration::from_millis(400);

/// Keeps one connection busy until the idle one has expired, and for a while afterwards; returns how the idle one
/// ended.
async fn keep_busy(
    busy: (&mut TcpStream, &mut TcpStream),
    idle: &mut TcpStream,
) -> (Vec<u8>, Result<(), io::ErrorKind>) {
    let (client, server) = busy;
    let traffic = async {
        loop {
            assert_passes(client, server).await;
            sleep(AFTER / 40).await;
        }
    };
    let end = tokio::select! {
        end = read_out(idle) => end,
        () = traffic => unreachable!(),
    };
    let _ = timeout(AFTER * 2, async {
        loop {
            assert_passes(server, client).await;
            sleep(AFTER / 40).await;
        }
    })
    .await;
    end
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_stay() {
    for (cut, by) in [(Cut::Close, Severed::Closed), (Cut::Reset, Severed::Reset)] {
        let bench = GatewayBench::new().await;
        let (mut client, mut server) = bench.pair().await;
        let (mut idle_client, mut idle_server) = bench.pair().await;
        let began = std::time::Instant::now();
        let rule = bench.install_rule(RuleKind::Idle { after: AFTER, then: Expiry::Cut(cut) }).await;
        let end = keep_busy((&mut client, &mut server), &mut idle_client).await;
        assert_eq!(end, (Vec::new(), peers::by(cut)));
        assert!(began.elapsed() >= AFTER);
        assert_eq!(read_out(&mut idle_server).await, (Vec::new(), peers::by(cut)));
        assert_eq!(rule.tally.strikes(), 1);
        assert_eq!(bench.gateway.connections(), 1);
        drop((client, server));
        assert_eq!(bench.endings(2).await[1], (by, 0, 0));
    }
}

#[tokio::test]
async fn silent_idle_timeout_resets_the_next_sender() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let after = Duration::from_millis(50);
    let rule = bench.install_rule(RuleKind::Idle { after, then: Expiry::DropState }).await;
    sleep(after * 3).await;
    assert_silence(&mut client).await;
    assert_silence(&mut server).await;
    // The dropped state does not come back when the rule is removed.
    bench.remove(&rule).await;
    client.write_all(b"are you there?").await.unwrap();
    assert_rst(&mut client).await;
    assert_rst(&mut server).await;
    assert_eq!(rule.tally.strikes(), 1);
    assert_eq!(bench.endings(1).await, [(Severed::Forgotten, 0, 0)]);
}

#[tokio::test]
async fn durations_beyond_the_clock_never_expire() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.install_rule(RuleKind::Idle { after: Duration::MAX, then: Expiry::Cut(Cut::Close) }).await;
    bench.install(ToxicKind::SlowClose { delay: Duration::MAX }).await;
    bench.install(ToxicKind::Reset { after: Duration::MAX }).await;
    client.write_all(b"held").await.unwrap();
    assert_silence(&mut server).await;
    assert_eq!(bench.doubts(), 0);
    assert_eq!(bench.gateway.cut(Cut::Reset).await, 1);
}
