//! Stops, kills, freezes, starts and reloads a local server.

use tokio::net::TcpStream;

use super::*;
use crate::model::fault::StopMode;

#[tokio::test]
async fn server_restarts_on_the_same_port() {
    let Some(bench) = ServerBench::new().await else { return };
    let address = bench.server.address();
    // A smart stop is last, because it waits for sessions to end, and only the last round has none.
    for mode in [StopMode::Fast, StopMode::Immediate, StopMode::Smart] {
        let client = if mode == StopMode::Smart { None } else { Some(bench.client().await.unwrap()) };
        in_time(bench.server.stop(mode)).await.unwrap();
        let refused = in_time(TcpStream::connect(address)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        if let Some(client) = client {
            assert!(one(&client).await.is_err());
        }
        bench.start().await;
        assert_eq!(bench.server.address(), address);
        one(&bench.client().await.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn killed_server_restarts_with_all_committed_writes() {
    let Some(bench) = ServerBench::new().await else { return };
    for round in 0..10 {
        let idle = bench.client().await.unwrap();
        one(&idle).await.unwrap();
        let asleep = bench.client().await.unwrap();
        let asleep = tokio::spawn(async move { asleep.batch_execute("SELECT pg_sleep(600)").await });
        let written = bench.client().await.unwrap();
        in_time(written.batch_execute(&format!("INSERT INTO pgsquall_ledger VALUES ({round})"))).await.unwrap();
        let exit = in_time(bench.server.kill()).await.unwrap();
        assert!(exit.contains("SIGKILL"), "{exit}");
        assert!(in_time(asleep).await.unwrap().is_err());
        bench.start().await;
        let rows = in_time(bench.client().await.unwrap().query("SELECT id FROM pgsquall_ledger", &[])).await.unwrap();
        assert_eq!(rows.len(), round + 1, "a committed write is missing");
    }
    assert!(!bench.log().contains("pre-existing shared memory"), "{}", bench.log());
}

#[tokio::test]
async fn computing_session_ends_with_a_kill() {
    let Some(bench) = ServerBench::new().await else { return };
    let client = bench.client().await.unwrap();
    let computing =
        tokio::spawn(async move { client.batch_execute("DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$").await });
    sleep(Duration::from_millis(200)).await;
    let remains = bench.remains();
    let began = Instant::now();
    in_time(bench.server.kill()).await.unwrap();
    eprintln!("killed within {:?}", began.elapsed());
    assert_eq!(remains.processes(), Vec::<i32>::new());
    assert!(in_time(computing).await.unwrap().is_err());
    bench.start().await;
}

#[tokio::test]
async fn frozen_server_accepts_and_does_not_answer() {
    let Some(bench) = ServerBench::new().await else { return };
    let client = bench.client().await.unwrap();
    for _ in 0..3 {
        bench.server.pause().await.unwrap();
        in_time(TcpStream::connect(bench.server.address())).await.unwrap();
        let answer = timeout(Duration::from_millis(200), client.query_one("SELECT 1", &[])).await;
        assert!(answer.is_err(), "a frozen server answered");
        let newcomer = timeout(Duration::from_millis(200), bench.client()).await;
        assert!(newcomer.is_err(), "a frozen server let a client sign in");
        bench.server.resume().await.unwrap();
        one(&client).await.unwrap();
        one(&bench.client().await.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn frozen_server_can_be_killed() {
    let Some(bench) = ServerBench::new().await else { return };
    let _client = bench.client().await.unwrap();
    bench.server.pause().await.unwrap();
    in_time(bench.server.kill()).await.unwrap();
    bench.start().await;
}

#[tokio::test]
async fn reload_applies_new_settings() {
    let Some(bench) = ServerBench::new().await else { return };
    let (session, _) = bench.backend().await;
    session.batch("ALTER SYSTEM SET statement_timeout = '12345ms'").await.unwrap();
    crate::server::files::reload(&bench.server.superuser()).await.unwrap();
    in_time(async {
        loop {
            let client = bench.client().await.unwrap();
            let row = client.query_one("SHOW statement_timeout", &[]).await.unwrap();
            if row.get::<_, String>(0) == "12345ms" {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn failed_start_is_an_error_with_the_log() {
    let Some(first) = ServerBench::new().await else { return };
    drop(first);
    let folder = RunFolder::create().unwrap();
    let settings = [("no_such_setting".to_owned(), "on".to_owned())];
    let server = LocalServer::create(&Binaries::find().unwrap(), &folder, &settings).await.unwrap();
    server.start().await.unwrap();
    let error = in_time(server.wait(Readiness::AcceptingQueries, 10 * PATIENCE)).await.unwrap_err().to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}

#[tokio::test]
async fn start_and_stop_in_the_wrong_state_are_errors() {
    let Some(bench) = ServerBench::new().await else { return };
    assert!(bench.server.start().await.unwrap_err().to_string().contains("already running"));
    in_time(bench.server.stop(StopMode::Fast)).await.unwrap();
    assert!(bench.server.stop(StopMode::Fast).await.unwrap_err().to_string().contains("not running"));
    assert!(bench.server.pause().await.is_err());
    assert!(bench.server.kill().await.is_err());
}
