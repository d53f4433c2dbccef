//! A crash whose recovery is held.

use super::*;

/// As `nemesis/recovery.rs` prepares it: recovery has enough to do that it can be caught.
const LARGE_TRANSACTION: [&str; 4] = [
    "CHECKPOINT",
    "BEGIN",
    "CREATE TABLE large (text text)",
    "INSERT INTO large SELECT repeat(md5(i::text), 8) FROM generate_series(1, 150000) AS i",
];

/// How often in a row; raised by hand to be sure of it.
fn rounds() -> usize {
    std::env::var("PGSQUALL_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

pub(super) async fn hold(bench: &Bench) {
    let (session, pid) = bench.backend().await;
    for statement in LARGE_TRANSACTION {
        session.batch(statement).await.unwrap();
    }
    in_time(bench.server.crash_into_recovery(pid)).await.unwrap();
}

#[tokio::test]
async fn whoever_comes_is_refused_with_57p03_until_it_is_released() {
    let Some(bench) = Bench::new().await else { return };
    for round in 0..rounds() {
        let bystander = bench.client().await.unwrap();
        hold(&bench).await;
        assert!(one(&bystander).await.is_err(), "every session is lost in a crash");
        let begun = Instant::now();
        let mut refusals = 0;
        while begun.elapsed() < Duration::from_millis(1200) {
            assert_eq!(bench.client().await.err().as_deref(), Some("57P03"), "round {round}, refusal {refusals}");
            refusals += 1;
            sleep(Duration::from_millis(5)).await;
        }
        bench.server.release_recovery().await.unwrap();
        bench.server.wait(Readiness::AcceptingQueries, PATIENCE).await.unwrap();
        one(&bench.client().await.unwrap()).await.unwrap();
        assert!(bench.server.release_recovery().await.is_err(), "nothing is held any more");
    }
}

#[tokio::test]
async fn a_kill_while_recovery_is_held_is_a_kill() {
    let Some(bench) = Bench::new().await else { return };
    hold(&bench).await;
    in_time(bench.server.kill()).await.unwrap();
    bench.start().await;
    one(&bench.client().await.unwrap()).await.unwrap();
}
