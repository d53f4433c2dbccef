//! What a toxic holds arrives as soon as it is lifted, and nothing of it is missing.

use std::time::Instant;

use super::*;

/// "At once", on a machine that does much else; what the toxics hold here would take an hour.
const PROMPT: Duration = Duration::from_secs(10);

pub async fn law(case: Case) {
    let bench = GatewayBench::new().await;
    let (client, server) = bench.pair().await;
    let rule = bench.install(case.endless).await;
    let new = bench.pair().await;
    let mut hearing = Vec::new();
    for (client, server) in [(client, server), new] {
        // Less than a gateway holds, and more: the rest waits with the sender.
        let (up, down) = (pattern(30_000), pattern(3 << 20));
        hearing.push((tokio::spawn(exchange(client, up.clone())), down.clone()));
        hearing.push((tokio::spawn(exchange(server, down)), up));
    }
    sleep(WATCH).await;
    let lifted = Instant::now();
    bench.remove(&rule).await;
    for (heard, sent) in hearing {
        let heard = in_time(heard).await.unwrap();
        assert!(heard == sent, "{} of {} bytes", heard.len(), sent.len());
    }
    assert!(lifted.elapsed() < PROMPT, "{:?}", lifted.elapsed());
    bench.assert_empty().await;
}
