//! Removal leaves no process, no folder, no shared memory.

use super::*;

#[tokio::test]
async fn second_removal_does_nothing() {
    let Some(bench) = ServerBench::new().await else { return };
    let remains = bench.remains();
    let _client = bench.client().await.unwrap();
    in_time(bench.server.remove()).await.unwrap();
    remains.assert_no_process_and_no_segment();
    in_time(bench.server.remove()).await.unwrap();
    drop(bench);
    remains.assert_nothing();
}

#[tokio::test]
async fn server_is_removed_in_every_state() {
    for state in ["running", "frozen", "recovering", "killed", "killed while frozen"] {
        for by_drop in [false, true] {
            let Some(bench) = ServerBench::new().await else { return };
            let remains = bench.remains();
            let _client = bench.client().await.unwrap();
            match state {
                "frozen" => bench.server.pause().await.unwrap(),
                "recovering" => recovery::hold(&bench).await,
                "killed" => drop(in_time(bench.server.kill()).await.unwrap()),
                "killed while frozen" => {
                    bench.server.pause().await.unwrap();
                    in_time(bench.server.kill()).await.unwrap();
                }
                _ => {}
            }
            let began = Instant::now();
            if !by_drop {
                in_time(bench.server.remove()).await.unwrap();
                remains.assert_no_process_and_no_segment();
            }
            drop(bench);
            remains.assert_nothing();
            eprintln!("{state}, by drop: {by_drop}: {:?}", began.elapsed());
        }
    }
}

#[test]
fn server_is_removed_after_the_runtime_has_ended() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(bench) = runtime.block_on(ServerBench::new()) else { return };
    let remains = bench.remains();
    runtime.shutdown_timeout(PATIENCE);
    drop(bench);
    remains.assert_nothing();
}
