//! Connections that fail early: the diagnosis names the stage, its time and a remedy.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use super::bench::{DoctorBench, PATIENCE, assert_finding, examine_url, examine_url_within};
use crate::doctor::{Diagnosis, Level, Stage, Topic};
use crate::server::Server;
use crate::server::bootstrap::{DATABASE, ROLE};

/// Expects that the stage failed with these texts, and that no later stage was examined.
#[track_caller]
fn assert_ends_at(diagnosis: &Diagnosis, stage: Stage, topic: Topic, texts: &[&str]) {
    assert_eq!(diagnosis.failed, Some(stage), "{diagnosis}");
    let finding = diagnosis.findings.iter().find(|finding| finding.level == Level::Problem).unwrap();
    assert_finding(finding, topic, Level::Problem, texts);
    assert!(finding.took.is_some(), "{finding:?}");
    assert!(diagnosis.findings.iter().all(|finding| finding.topic != Topic::ConnectionSlots), "{diagnosis}");
    assert!(diagnosis.to_string().contains(&format!("not reached: {stage} failed")), "{diagnosis}");
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn name_does_not_resolve() {
    let diagnosis = examine_url("postgres://u:test-password@no-such-host.invalid/d").await;
    assert_ends_at(&diagnosis, Stage::Dns, Topic::Dns, &["no-such-host.invalid", "getent hosts"]);
    assert!(diagnosis.findings.iter().all(|finding| finding.topic != Topic::Tcp));
}

#[tokio::test]
async fn port_without_a_listener() {
    let (listener, port) = listener();
    drop(listener);
    let diagnosis = examine_url(&format!("postgres://u:test-password@127.0.0.1:{port}/d")).await;
    assert_ends_at(&diagnosis, Stage::Tcp, Topic::Tcp, &["refused", "listen_addresses"]);
}

#[tokio::test]
async fn listener_that_never_replies() {
    let (_listener, port) = listener();
    for (mode, stage, topic, text) in [
        ("disable", Stage::SignIn, Topic::SignIn, "no reply to the startup packet within 300 ms"),
        ("prefer", Stage::Tls, Topic::Tls, "no reply to the request for TLS within 300 ms"),
        ("require", Stage::Tls, Topic::Tls, "no reply to the request for TLS within 300 ms"),
    ] {
        let url = format!("postgres://u:test-password@127.0.0.1:{port}/d?sslmode={mode}");
        let diagnosis = examine_url_within(&url, Duration::from_millis(300)).await;
        assert_ends_at(&diagnosis, stage, topic, &[text, "load balancer without a server"]);
        let accepted = diagnosis.findings.iter().find(|finding| finding.topic == Topic::Tcp).unwrap();
        assert_eq!(accepted.level, Level::Ok);
    }
}

#[tokio::test]
async fn listener_that_closes() {
    let (listener, port) = listener();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 8]).unwrap();
    });
    let diagnosis = examine_url(&format!("postgres://u:test-password@127.0.0.1:{port}/d?sslmode=require")).await;
    assert_ends_at(&diagnosis, Stage::Tls, Topic::Tls, &["load balancer without a server"]);
    thread.join().unwrap();
}

#[tokio::test]
async fn server_that_is_not_postgres() {
    let (listener, port) = listener();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 8]).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap();
    });
    let diagnosis = examine_url(&format!("postgres://u:test-password@127.0.0.1:{port}/d?sslmode=require")).await;
    assert_ends_at(&diagnosis, Stage::Tls, Topic::Tls, &["HTTP/1.1 400", "no Postgres at this port"]);
    thread.join().unwrap();
}

#[tokio::test]
async fn server_that_rejects_the_client() {
    let Some(bench) = DoctorBench::new(&[]).await else { return };
    let port = bench.server.address().port();
    for (credentials, database, texts) in [
        (format!("{ROLE}:wrong-test-password"), DATABASE, ["FATAL 28P01", "user or password is wrong"]),
        (format!("{ROLE}:test-password"), "nowhere", ["FATAL 3D000", "no such database"]),
        (ROLE.to_owned(), DATABASE, ["password missing", "PGPASSWORD"]),
    ] {
        let url = format!("postgres://{credentials}@127.0.0.1:{port}/{database}");
        assert_ends_at(&examine_url(&url).await, Stage::SignIn, Topic::SignIn, &texts);
    }
    let diagnosis = examine_url(&bench.url("sslmode=require")).await;
    assert_ends_at(&diagnosis, Stage::Tls, Topic::Tls, &["the server has no TLS", "switch on ssl"]);
    let session = bench.superuser().await;
    session.batch(&format!("ALTER ROLE {ROLE} CONNECTION LIMIT 0")).await.unwrap();
    assert_ends_at(
        &bench.examined().await,
        Stage::SignIn,
        Topic::SignIn,
        &["FATAL 53300", "CONNECTION LIMIT is reached"],
    );
}

#[tokio::test]
async fn server_that_is_paused() {
    let Some(bench) = DoctorBench::new(&[]).await else { return };
    bench.server.pause().await.unwrap();
    let diagnosis = examine_url_within(&bench.url(""), Duration::from_millis(300)).await;
    bench.server.resume().await.unwrap();
    assert_ends_at(&diagnosis, Stage::Tls, Topic::Tls, &["frozen or overloaded"]);
    assert_eq!(examine_url_within(&bench.url(""), PATIENCE).await.failed, None);
}
