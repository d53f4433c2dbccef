//! Who is let in, and how.

use std::os::unix::fs::MetadataExt;

use super::*;

#[tokio::test]
async fn from_nothing_to_the_first_query() {
    let Some(first) = Bench::new().await else { return }; // makes the template, where there is none yet
    let folder = RunFolder::create().unwrap();
    let binaries = Binaries::find().unwrap();
    let began = Instant::now();
    let server = LocalServer::create(&binaries, &folder, &[]).await.unwrap();
    let copied = began.elapsed();
    let second = Bench { server, folder };
    second.start().await;
    let took = began.elapsed();
    eprintln!("template to first query: {took:?}, of that the copy: {copied:?}");
    // Measured 55 ms on a quiet machine.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_ne!(first.server.address(), second.server.address());
}

#[tokio::test]
async fn nobody_else_can_look_into_the_folders() {
    let Some(bench) = Bench::new().await else { return };
    for name in ["data", "socket"] {
        let mode = fs::metadata(bench.folder.path().join(name)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{name}");
    }
    // Passed through by the server's group, where that is another; never listed.
    let mode = fs::metadata(bench.folder.path()).unwrap().mode();
    assert_eq!(mode & 0o067, 0, "{mode:o}");
}

#[tokio::test]
async fn over_tcp_everybody_needs_a_password() {
    let Some(bench) = Bench::new().await else { return };
    let address = bench.server.address();
    assert_eq!(one(&bench.client().await.unwrap()).await.unwrap(), 1);
    assert_eq!(connect(address, ROLE, Some("wrong")).await.err().as_deref(), Some("28P01"));
    assert_eq!(connect(address, "nobody_at_all", Some(PASSWORD)).await.err().as_deref(), Some("28P01"));
    assert_eq!(connect(address, "postgres", Some(PASSWORD)).await.err().as_deref(), Some("28P01"));
    for role in [ROLE, "postgres"] {
        let error = connect(address, role, None).await.err().unwrap();
        assert!(error.contains("invalid configuration") || error == "28P01", "{role}: {error}");
    }
}

#[tokio::test]
async fn through_the_socket_only_the_superuser_is_trusted() {
    let Some(bench) = Bench::new().await else { return };
    let superuser = bench.server.superuser();
    superuser.connect().await.unwrap();
    assert!(superuser.in_database(DATABASE).in_role(ROLE, PASSWORD).connect().await.is_ok());
    let refusal = superuser.in_role(ROLE, "wrong").connect_within(PATIENCE).await.err().unwrap();
    assert_eq!(refusal.sqlstate.as_deref(), Some("28P01"));
}

#[tokio::test]
async fn the_log_says_who_was_refused_and_why() {
    let Some(bench) = Bench::new().await else { return };
    let client = bench.client().await.unwrap();
    assert!(in_time(client.batch_execute("SELECT 1/0")).await.is_err());
    connect(bench.server.address(), ROLE, Some("wrong")).await.unwrap_err();
    let log = bench.server.log().await.unwrap();
    let of = |sqlstate: &str| log.iter().filter(|line| line.sqlstate == sqlstate && line.role == ROLE).count();
    assert_eq!((of("22012"), of("28P01")), (1, 1), "{log:#?}");
    let division = log.iter().find(|line| line.sqlstate == "22012").unwrap();
    assert!(division.text.starts_with("ERROR:") && division.text.ends_with("division by zero"), "{division:?}");
    assert!(log.iter().any(|line| line.role.is_empty() && line.text.contains("ready to accept connections")));
    assert!(!bench.log().contains(PASSWORD));
}
