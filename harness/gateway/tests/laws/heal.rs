//! Healing: after the removal of the toxic, all held bytes arrive at once.

use std::time::Instant;

use super::*;

/// Bound for "at once" on a busy machine; the toxics here hold for an hour.
const PROMPT: Duration = Duration::from_secs(10);

pub async fn law(case: Case) {
    let bench = GatewayBench::new().await;
    let (client, server) = bench.pair().await;
    let rule = bench.install(case.endless).await;
    let new = bench.pair().await;
    let mut receiving = Vec::new();
    for (client, server) in [(client, server), new] {
        // The gateway can hold 30 kB; a stalled one leaves a part of the 3 MiB in the sender's socket.
        let (up, down) = (pattern(30_000), pattern(3 << 20));
        receiving.push((tokio::spawn(exchange(client, up.clone())), down.clone()));
        receiving.push((tokio::spawn(exchange(server, down)), up));
    }
    sleep(WATCH).await;
    let lifted = Instant::now();
    bench.remove(&rule).await;
    for (received, sent) in receiving {
        let received = in_time(received).await.unwrap();
        assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
    }
    assert!(lifted.elapsed() < PROMPT, "{:?}", lifted.elapsed());
    bench.assert_empty().await;
}
