//! Signing in at a local server: roles, passwords, the Unix socket; and what the log says about refusals.

use std::os::unix::fs::MetadataExt;

use super::*;

#[tokio::test]
async fn first_query_is_fast() {
    let Some(first) = ServerBench::new().await else { return }; // creates the template if it is missing
    let folder = RunFolder::create().unwrap();
    let binaries = Binaries::find().unwrap();
    let began = Instant::now();
    let server = LocalServer::create(&binaries, &folder, &[]).await.unwrap();
    let copied = began.elapsed();
    let second = ServerBench { server, folder };
    second.start().await;
    let took = began.elapsed();
    eprintln!("template to first query: {took:?}, of that the copy: {copied:?}");
    // Measured 55 ms on a quiet machine.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_ne!(first.server.address(), second.server.address());
}

#[tokio::test]
async fn folders_are_closed_to_other_users() {
    let Some(bench) = ServerBench::new().await else { return };
    for name in ["data", "socket"] {
        let mode = fs::metadata(bench.folder.path().join(name)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{name}");
    }
    // The server's group may enter the run folder, but not list it.
    let mode = fs::metadata(bench.folder.path()).unwrap().mode();
    assert_eq!(mode & 0o067, 0, "{mode:o}");
}

#[tokio::test]
async fn every_role_needs_a_password_over_tcp() {
    let Some(bench) = ServerBench::new().await else { return };
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
async fn only_the_superuser_signs_in_through_the_socket() {
    let Some(bench) = ServerBench::new().await else { return };
    let superuser = bench.server.superuser();
    superuser.connect().await.unwrap();
    assert!(superuser.in_database(DATABASE).in_role(ROLE, PASSWORD).connect().await.is_ok());
    let refusal = superuser.in_role(ROLE, "wrong").connect_within(PATIENCE).await.err().unwrap();
    assert_eq!(refusal.sqlstate.as_deref(), Some("28P01"));
}

#[tokio::test]
async fn log_names_refused_roles_and_reasons() {
    let Some(bench) = ServerBench::new().await else { return };
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
