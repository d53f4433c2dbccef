//! Random draws of a toxic on real sockets.

use std::collections::BTreeSet;

use super::*;
use crate::model::fault::Share;
use crate::model::seed::Seed;

/// Number of connections. Of 200 fair draws, practically never fewer than sixty fall on one side.
const CONNECTIONS: usize = 200;

/// Returns the numbers of the connections that a toxic with a toxicity of a half touches.
async fn touched(seed: Seed) -> BTreeSet<usize> {
    let bench = GatewayBench::with_seed(seed).await;
    let toxicity = Share::new(0.5).unwrap();
    let (mut clients, mut servers) = bench.pairs(CONNECTIONS / 2).await;
    let rule = bench.install(Toxic { toxicity, ..limit(0).into() }).await;
    let mut touched = BTreeSet::new();
    for number in 0..CONNECTIONS {
        if number >= clients.len() {
            let (client, server) = bench.pair().await;
            clients.push(client);
            servers.push(server);
        }
        let (client, server) = (&mut clients[number], &mut servers[number]);
        // On a touched connection the client gets FIN, on the others a byte.
        let mut byte = [0];
        let _ = in_time(server.write_all(&[7])).await;
        if in_time(client.read_exact(&mut byte)).await.is_err() {
            touched.insert(number);
        }
    }
    assert_eq!(rule.tally.strikes(), touched.len() as u64);
    touched
}

#[tokio::test]
async fn the_seed_says_which_connections_are_touched() {
    let (first, again, other) = (touched(Seed(7)).await, touched(Seed(7)).await, touched(Seed(8)).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    for touched in [first, other] {
        assert!((60..=140).contains(&touched.len()), "{} of {CONNECTIONS}", touched.len());
    }
}

/// Sends a byte on each of 40 connections at once; returns the delays.
async fn lateness(seed: Seed) -> Vec<Duration> {
    let bench = GatewayBench::with_seed(seed).await;
    bench.install(ToxicKind::Latency { delay: ms(150), jitter: ms(150) }).await;
    let (mut clients, servers) = bench.pairs(40).await;
    let hear = |mut server: TcpStream| {
        tokio::spawn(async move {
            server.read_u8().await.unwrap();
            tokio::time::Instant::now()
        })
    };
    let receiving: Vec<_> = servers.into_iter().map(hear).collect();
    let sent = tokio::time::Instant::now();
    for client in &mut clients {
        client.write_all(&[7]).await.unwrap();
    }
    let mut late = Vec::new();
    for received in receiving {
        late.push(in_time(received).await.unwrap() - sent);
    }
    late
}

/// Returns the median of the differences.
fn difference(some: &[Duration], others: &[Duration]) -> Duration {
    let mut all: Vec<_> = some.iter().zip(others).map(|(one, other)| one.abs_diff(*other)).collect();
    all.sort();
    all[all.len() / 2]
}

#[tokio::test]
async fn the_seed_says_how_late_each_byte_is() {
    let (first, again, other) = (lateness(Seed(7)).await, lateness(Seed(7)).await, lateness(Seed(8)).await);
    // Two uniform draws from 300 ms differ by 88 ms in the median.
    let (same, different) = (difference(&first, &again), difference(&first, &other));
    assert!(same < different / 2, "{same:?} with one seed, {different:?} with another");
    assert!(same < ms(25) && different > ms(40), "{same:?} with one seed, {different:?} with another");
}
