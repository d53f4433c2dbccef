//! Servers in containers on a real engine. Skipped without an engine or the image.

mod cleaning;
mod standby;

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::*;

const IMAGE: &str = "pgsquall/postgres:15";

/// Creates a server for a test; returns from the test if Docker or the image is missing.
macro_rules! server_or_skip {
    () => {
        match availability().await {
            Ok(found) if found.contains(IMAGE) => create(&[]).await,
            found => {
                println!("skipped: needs Docker and {IMAGE} (ci/postgres-image.sh 15); found: {found:?}");
                return;
            }
        }
    };
}
use server_or_skip;

async fn create(settings: &[(&str, &str)]) -> DockerServer {
    let settings: Vec<_> = settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    DockerServer::create(Some(IMAGE), "test", &settings, false).await.unwrap()
}

async fn assert_answers(server: &DockerServer) {
    server.wait(Readiness::AcceptingQueries, Duration::from_secs(30)).await.unwrap();
    let session = server.superuser().connect().await.unwrap();
    let rows = session.rows("SELECT 41 + 1", &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i32>(0), 42);
}

/// Returns the SQLSTATE with which the server refuses a new connection.
async fn refusal(server: &DockerServer) -> Option<String> {
    match server.superuser().connect_within(Duration::from_secs(2)).await {
        Ok(_) => panic!("the server accepted the connection"),
        Err(refusal) => refusal.sqlstate,
    }
}

async fn exists(server: &DockerServer) -> bool {
    server.container.docker.inspect_container(&server.container.id, None).await.is_ok()
}

#[tokio::test]
async fn container_restarts_after_every_stop_mode() {
    let server = server_or_skip!();
    assert!(server.facts().version.starts_with("15."), "{:?}", server.facts());
    for mode in [StopMode::Fast, StopMode::Smart, StopMode::Immediate] {
        assert_answers(&server).await;
        server.stop(mode).await.unwrap();
        tokio::net::TcpStream::connect(server.address()).await.unwrap_err();
        server.start().await.unwrap();
    }
    assert_answers(&server).await;
    server.remove().await.unwrap();
}

#[tokio::test]
async fn container_restarts_after_a_kill() {
    let server = server_or_skip!();
    assert_eq!(server.kill().await.unwrap(), "container exited with code 137");
    let error = server.kill().await.unwrap_err().to_string();
    assert!(error.contains("is not running"), "{error}");
    server.start().await.unwrap();
    assert_answers(&server).await;
    server.remove().await.unwrap();
}

#[tokio::test]
async fn paused_server_accepts_and_does_not_answer() {
    let server = server_or_skip!();
    let session = server.superuser().connect().await.unwrap();
    server.pause().await.unwrap();
    tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let query = session.rows("SELECT 1", &[]);
    let mut query = pin!(query);
    timeout(Duration::from_millis(500), query.as_mut()).await.expect_err("a paused server answered");
    server.resume().await.unwrap();
    timeout(Duration::from_secs(5), query).await.unwrap().unwrap();
    assert_answers(&server).await;
    server.pause().await.unwrap();
    server.remove().await.unwrap();
    assert!(!exists(&server).await);
}

#[tokio::test]
async fn log_has_terminated_sessions() {
    let server = server_or_skip!();
    let (ours, other) = (server.superuser().connect().await.unwrap(), server.superuser().connect().await.unwrap());
    let victim: i32 = other.rows("SELECT pg_backend_pid()", &[]).await.unwrap()[0].get(0);
    ours.rows("SELECT pg_terminate_backend($1)", &[&victim]).await.unwrap();
    // The engine copies the log from a pipe, with a delay.
    for _ in 0..100 {
        if server.log().await.unwrap().iter().any(|line| line.sqlstate == "57P01" && line.pid == victim) {
            return server.remove().await.unwrap();
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("no 57P01 of {victim} in {:?}", server.log().await.unwrap());
}

#[tokio::test]
async fn held_recovery_refuses_until_released() {
    let server = server_or_skip!();
    hold_and_release(&server).await;
    // A shutdown also releases a held recovery.
    crash(&server).await;
    server.stop(StopMode::Fast).await.unwrap();
    server.remove().await.unwrap();
}

/// Kills the backend of a session with 50 MB of uncommitted data, and holds the recovery.
async fn crash(server: &DockerServer) {
    let session = server.superuser().connect().await.unwrap();
    let work = "CREATE TABLE bulk (x text); \
                INSERT INTO bulk SELECT repeat(md5(i::text), 30) FROM generate_series(1, 50000) i";
    session.batch(&format!("BEGIN; {work}")).await.unwrap();
    let backend: i32 = session.rows("SELECT pg_backend_pid()", &[]).await.unwrap()[0].get(0);
    server.crash_into_recovery(backend).await.unwrap();
}

async fn hold_and_release(server: &DockerServer) {
    crash(server).await;
    for _ in 0..5 {
        assert_eq!(refusal(server).await.as_deref(), Some("57P03"));
        sleep(Duration::from_millis(100)).await;
    }
    server.release_recovery().await.unwrap();
    assert_answers(server).await;
}

#[tokio::test]
async fn unknown_setting_is_an_error_at_once() {
    let server = server_or_skip!();
    let before = Instant::now();
    let settings = [("no_such_setting".to_owned(), "1".to_owned())];
    let error = DockerServer::create(Some(IMAGE), "test", &settings, false).await.err().unwrap().to_string();
    assert!(error.contains("no_such_setting") && error.contains("exit code 1"), "{error}");
    assert!(before.elapsed() < READY_WITHIN / 2);
    server.remove().await.unwrap();
}

#[tokio::test]
async fn missing_image_error_names_the_fix() {
    let server = server_or_skip!();
    let error = DockerServer::create(Some("localhost:1/none:7"), "test", &[], false).await.err().unwrap().to_string();
    assert!(error.contains("localhost:1/none:7") && error.contains("ci/postgres-image.sh 15"), "{error}");
    server.remove().await.unwrap();
}
