//! Figures, and the race against a fast recovery often enough to trust it. By hand:
//! `cargo test --lib docker::tests::measures -- --ignored --nocapture --test-threads 1`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::time::show;

#[tokio::test]
#[ignore = "takes a minute"]
async fn holds_twenty_recoveries_in_a_row() {
    let server = server_or_skip!();
    twenty_recoveries(&server).await;
    server.remove().await.unwrap();
}

async fn twenty_recoveries(server: &DockerServer) {
    for round in 0..20 {
        let before = Instant::now();
        hold_and_release(server).await;
        println!("round {round}: {}", show(before.elapsed()));
    }
}

#[tokio::test]
#[ignore = "takes minutes, and every core"]
async fn holds_twenty_recoveries_on_a_busy_machine() {
    let server = server_or_skip!();
    let done = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..2)
        .map(|_| done.clone())
        .map(|done| std::thread::spawn(move || while !done.load(Ordering::Relaxed) {}))
        .collect();
    twenty_recoveries(&server).await;
    server.remove().await.unwrap();
    done.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
}

#[tokio::test]
#[ignore = "a measurement"]
async fn how_long_things_take() {
    let server = server_or_skip!();
    server.remove().await.unwrap();
    for _ in 0..5 {
        let clock = Instant::now();
        let server = create(&[]).await;
        let first_query = clock.elapsed();

        let clock = Instant::now();
        server.stop(StopMode::Fast).await.unwrap();
        let stopped = clock.elapsed();
        server.start().await.unwrap();
        let started = clock.elapsed();
        answers(&server).await;
        let restarted = clock.elapsed();

        let clock = Instant::now();
        server.kill().await.unwrap();
        let killed = clock.elapsed();

        let clock = Instant::now();
        server.remove().await.unwrap();
        println!(
            "create to first query {}, stop {}, start returns {}, restart in all {}, kill {}, remove {}",
            show(first_query),
            show(stopped),
            show(started - stopped),
            show(restarted),
            show(killed),
            show(clock.elapsed())
        );
    }
}
