//! A toxic that is installed and removed during a transfer.

use super::*;

/// Number of rounds.
const ROUNDS: usize = 400;

/// Bytes sent each way.
const BYTES: usize = 6 << 20;

pub async fn law(case: Case) {
    let bench = GatewayBench::new().await;
    let (client, server) = bench.pair().await;
    let (up, down) = (pattern(BYTES), pattern(BYTES + 1));
    let (tx, mut over) = tokio::sync::oneshot::channel::<()>();
    let flowing = {
        let (up, down) = (up.clone(), down.clone());
        tokio::spawn(async move {
            let received = tokio::join!(exchange(client, up), exchange(server, down));
            drop(tx);
            received
        })
    };
    for round in 0.. {
        // The transfer may end in an earlier round; the rules then change on a closed connection.
        if round >= ROUNDS && over.try_recv() != Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
            break;
        }
        assert!(round < 100 * ROUNDS, "bytes do not get through");
        let rule = bench.install(case.endless).await;
        if round % 8 == 0 {
            // Long enough for the toxic to hold some bytes.
            sleep(Duration::from_millis(1)).await;
        }
        bench.remove(&rule).await;
        if round >= ROUNDS {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let (received_down, received_up) = in_time(flowing).await.unwrap();
    assert!(
        received_up == up && received_down == down,
        "{} up, {} down of {BYTES}",
        received_up.len(),
        received_down.len()
    );
    assert_eq!(bench.doubts(), 0);
    bench.assert_empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn churn_of_all_toxics_together_loses_no_byte() {
    let bench = Arc::new(GatewayBench::new().await);
    let (up, down) = (pattern(BYTES), pattern(BYTES + 1));
    let mut flowing = Vec::new();
    for _ in 0..3 {
        let (client, server) = bench.pair().await;
        let (up, down) = (up.clone(), down.clone());
        flowing.push(tokio::spawn(async move { tokio::join!(exchange(client, up), exchange(server, down)) }));
    }
    let storm = every_case().into_iter().enumerate().map(|(number, case)| {
        let bench = Arc::clone(&bench);
        // A bandwidth of one byte per second splits the held bytes into single ones, which the other toxics then pass
        // on one by one. In a debug build that is too slow for the gateway to acknowledge commands in time.
        let kind = if matches!(case.endless, ToxicKind::Bandwidth { .. }) { bandwidth(20_000) } else { case.endless };
        tokio::spawn(async move {
            for round in 0..ROUNDS / 4 {
                let stream = [Stream::Both, Stream::Upstream, Stream::Downstream][(number + round) % 3];
                let rule = bench.install(Toxic { stream, ..kind.into() }).await;
                if (number + round) % 5 == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
                bench.remove(&rule).await;
            }
        })
    });
    for task in storm.collect::<Vec<_>>() {
        in_time(task).await.unwrap();
    }
    for received in flowing {
        let (received_down, received_up) = in_time(received).await.unwrap();
        assert!(received_up == up && received_down == down, "{} up, {} down", received_up.len(), received_down.len());
    }
    assert_eq!(bench.doubts(), 0);
    bench.assert_empty().await;
}
