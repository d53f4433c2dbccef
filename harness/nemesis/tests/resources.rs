//! Shortage of memory, disk and processor, as clients notice it.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Client;

use super::{Stage, servers};
use crate::environment::choice::ServerKind;
use crate::environment::support::check_small_disk;
use crate::model::topology::SmallDisk;

fn scenario(server: &str, kind: &str) -> String {
    format!("schema = 1\ntitle = \"t\"\n{server}\n[[fault]]\nkind = {kind}\nat = \"2s\"\nfor = \"3s\"\n")
}

async fn write(client: &Client, id: i64) -> Result<u64, tokio_postgres::Error> {
    client.execute("INSERT INTO pgsquall_ledger (id) VALUES ($1)", &[&id]).await
}

/// Writes until a write fails; returns severity and SQLSTATE, if the server sent an error.
async fn write_until_it_fails(client: &Client) -> Option<(String, String)> {
    for id in 0..100_000 {
        if let Err(error) = write(client, id).await {
            return error.as_db_error().map(|said| (said.severity().to_owned(), said.code().code().to_owned()));
        }
    }
    panic!("there is no end of room");
}

#[tokio::test]
async fn without_memory_new_sessions_fail_or_a_process_is_killed() {
    for source in servers().await {
        let mut stage = Stage::set(&source, &scenario("", "\"exhaust-memory\"")).await;
        let mut session = stage.sign_in().await.unwrap();
        sleep(Duration::from_secs(1)).await;
        stage.inject(0).await;
        let heard = session.hears().await.map(|said| said.code().code().to_owned());
        match source.kind() {
            ServerKind::Local => {
                assert_eq!(heard.as_deref(), Some("57P01"));
                let error = stage.sign_in().await.unwrap_err();
                assert_eq!(error.code().map(|code| code.code()), Some("53200"), "{error}");
            }
            _ => assert_eq!(heard.as_deref(), Some("57P02"), "{source}"),
        }
        stage.heal(0).await;
        let session = stage.sign_in().await.unwrap();
        session.client.batch_execute("SELECT count(*) FROM generate_series(1, 100000)").await.unwrap();
        assert!(stage.proofs(0, 1).await > 0, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_the_session_lives() {
    for source in servers().await {
        if let Err(reason) = check_small_disk(SmallDisk::Heap, source.kind()) {
            println!("skipped on {source}: {reason}");
            continue;
        }
        let mut stage = Stage::set(&source, &scenario("[server]\nsmall_disk = \"heap\"", "\"fill-disk\"")).await;
        let session = stage.sign_in().await.unwrap();
        write(&session.client, 1).await.unwrap();
        stage.inject(0).await;
        let refused = write_until_it_fails(&session.client).await;
        assert_eq!(refused, Some(("ERROR".into(), "53100".into())), "{source}");
        session.client.batch_execute("SELECT count(*) FROM pgsquall_ledger").await.unwrap();
        stage.heal(0).await;
        write(&session.client, 2).await.unwrap();
        assert!(stage.proofs(0, 1).await > 0, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn full_wal_disk_ends_the_server_and_loses_no_acknowledged_write() {
    for source in servers().await {
        if let Err(reason) = check_small_disk(SmallDisk::Wal, source.kind()) {
            println!("skipped on {source}: {reason}");
            continue;
        }
        let mut stage = Stage::set(&source, &scenario("[server]\nsmall_disk = \"wal\"", "\"fill-disk\"")).await;
        let session = stage.sign_in().await.unwrap();
        write(&session.client, -1).await.unwrap();
        let ((), said) = tokio::join!(stage.inject(0), write_until_it_fails(&session.client));
        // The process that needs the next WAL segment panics; that may be one of the server's own.
        assert!(said.is_none_or(|said| said == ("PANIC".into(), "53100".into())), "{source}");
        assert!(stage.sign_in().await.unwrap_err().as_db_error().is_none(), "{source}: never refused");
        stage.heal(0).await;
        let session = stage.sign_in().await.unwrap();
        let found = session.client.query_one("SELECT count(*) FROM pgsquall_ledger WHERE id = -1", &[]).await.unwrap();
        assert_eq!(found.get::<_, i64>(0), 1);
        write(&session.client, -2).await.unwrap();
        assert!(stage.proofs(0, 1).await > 0, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_throttled_server_is_slow_and_nothing_fails() {
    for source in servers().await {
        let mut stage = Stage::set(&source, &scenario("", "\"throttle-processor\"\nshare = 0.05")).await;
        let session = stage.sign_in().await.unwrap();
        stage.inject(0).await;
        // How many are slow depends on the load of the machine: a part of the share may be free for the session.
        let (mut asked, mut slow) = (0, Vec::new());
        while asked < 150 && slow.len() < 5 {
            let began = Instant::now();
            session.client.batch_execute("SELECT 1").await.unwrap();
            let took = began.elapsed();
            slow.extend(Some(took).filter(|took| *took >= Duration::from_millis(50)));
            asked += 1;
            sleep(Duration::from_millis(30)).await;
        }
        stage.heal(0).await;
        assert_eq!(slow.len(), 5, "{source}: of {asked} answers these were slow: {slow:?}");
        session.client.batch_execute("SELECT 1").await.unwrap();
        stage.close().await;
    }
}

#[tokio::test]
async fn no_process_stays_frozen_and_no_mount_is_seen_outside() {
    let mounts = || {
        std::fs::read_to_string("/proc/self/mounts").unwrap().lines().filter(|line| line.contains("pgsquall")).count()
    };
    for source in servers().await.into_iter().filter(|source| source.kind() == ServerKind::Local) {
        if let Err(reason) = check_small_disk(SmallDisk::Heap, source.kind()) {
            println!("skipped on {source}: {reason}");
            continue;
        }
        let before = mounts();
        let text = scenario("[server]\nsmall_disk = \"heap\"", "\"throttle-processor\"\nshare = 0.05");
        let mut stage = Stage::set(&source, &text).await;
        let folder = stage.environment.folder().to_owned();
        assert_eq!(mounts(), before);
        assert_eq!(std::fs::read_dir(folder.join("small")).unwrap().count(), 0, "what is mounted is seen inside only");
        stage.inject(0).await;
        // Dropped without heal or close.
        drop(stage);
        assert!(!folder.exists());
        let left = std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder)));
        assert_eq!(left.count(), 0);
    }
}
