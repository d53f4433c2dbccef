//! A server whose crash recovery is held refuses connections, and can be released or killed.

use super::*;

/// Enough WAL that recovery lasts long enough to be held; like `LARGE_TRANSACTION` in `server/control/real/crash.rs`.
const LARGE_TRANSACTION: [&str; 4] = [
    "CHECKPOINT",
    "BEGIN",
    "CREATE TABLE large (text text)",
    "INSERT INTO large SELECT repeat(md5(i::text), 8) FROM generate_series(1, 150000) AS i",
];

/// Returns the number of rounds: 3, or the value of `PGSQUALL_TEST_ROUNDS`.
fn rounds() -> usize {
    std::env::var("PGSQUALL_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

pub(super) async fn hold(bench: &ServerBench) {
    let (session, pid) = bench.backend().await;
    for statement in LARGE_TRANSACTION {
        session.batch(statement).await.unwrap();
    }
    in_time(bench.server.crash_into_recovery(pid)).await.unwrap();
}

#[tokio::test]
async fn held_recovery_refuses_with_57p03_until_released() {
    let Some(bench) = ServerBench::new().await else { return };
    for round in 0..rounds() {
        let bystander = bench.client().await.unwrap();
        hold(&bench).await;
        assert!(one(&bystander).await.is_err(), "a session survived the crash");
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
        assert!(bench.server.release_recovery().await.is_err(), "a second release succeeded");
    }
}

#[tokio::test]
async fn server_in_held_recovery_can_be_killed() {
    let Some(bench) = ServerBench::new().await else { return };
    hold(&bench).await;
    in_time(bench.server.kill()).await.unwrap();
    bench.start().await;
    one(&bench.client().await.unwrap()).await.unwrap();
}
