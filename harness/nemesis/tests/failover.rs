//! Failover as clients notice it.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::{Stage, servers};
use crate::environment::Environment;
use crate::model::topology::Host;

/// Returns a scenario with a standby, these addresses and this fault.
fn scenario(hosts: &str, kind: &str, at: &str) -> String {
    format!(
        "schema = 1\ntitle = \"t\"\n[server]\nstandby = true\n[client]\nhosts = [{hosts}]\n\
         [[fault]]\nkind = \"{kind}\"\nat = \"{at}\"\nfor = \"1s\"\n"
    )
}

/// Writes a key; returns the SQLSTATE of the error, "none" for an error without one, `None` for success.
async fn write(client: &Client, key: i64) -> Option<String> {
    let insert = format!("INSERT INTO pgsquall_ledger (id) VALUES ({key})");
    client.batch_execute(&insert).await.err().map(|error| error.code().map_or("none", |code| code.code()).to_owned())
}

/// Returns the keys on the current primary.
async fn keys(environment: &Environment) -> Vec<i64> {
    let superuser = environment.server().superuser().unwrap().in_database(&environment.address.database);
    let session = superuser.connect().await.unwrap();
    let rows = session.rows("SELECT id FROM pgsquall_ledger ORDER BY id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn read_only() -> Option<String> {
    Some("25006".to_owned())
}

#[tokio::test]
async fn lost_primary_refuses_and_standby_has_acknowledged_writes() {
    for source in servers().await {
        let mut stage = Stage::set(&source, &scenario("\"primary\"", "promote-standby", "2s")).await;
        let session = stage.sign_in().await.unwrap();
        assert_eq!(write(&session.client, 1).await, None, "{source}");
        stage.inject(0).await;
        stage.end_of(session.id).await;
        // A backend that waits for a command notices that the postmaster has died, and reports it; one that dies with
        // it cannot.
        let last_words = ("FATAL".to_owned(), "57P01".to_owned());
        assert!(stage.errors(session.id).iter().all(|said| *said == last_words), "{source}");
        stage.sign_in().await.unwrap_err();
        stage.heal(0).await;
        let session = stage.sign_in().await.unwrap();
        assert_eq!(write(&session.client, 2).await, None, "{source}: no standby is left to wait for");
        assert_eq!(keys(&stage.environment).await, [1, 2], "{source}");
        assert!(stage.environment.beside().is_none());
        stage.close().await;
    }
}

#[tokio::test]
async fn demoted_primary_keeps_sessions_and_takes_no_write() {
    for source in servers().await {
        let hosts = "\"primary\", \"standby\"";
        let mut stage = Stage::set(&source, &scenario(hosts, "demote-primary", "2s")).await;
        let standby = stage.environment.gateway_of(Host::Standby).unwrap().address();
        let (old, new) = (stage.sign_in().await.unwrap(), stage.sign_in_at(standby).await.unwrap());
        assert_eq!((write(&old.client, 1).await, write(&new.client, 2).await), (None, read_only()), "{source}");
        stage.inject(0).await;
        assert_eq!((write(&old.client, 3).await, write(&new.client, 4).await), (read_only(), read_only()), "{source}");
        stage.heal(0).await;
        assert_eq!((write(&old.client, 5).await, write(&new.client, 6).await), (read_only(), None), "{source}");
        let late = stage.sign_in().await.unwrap();
        assert_eq!(write(&late.client, 7).await, read_only(), "{source}: its address leads where it led");
        assert_eq!(keys(&stage.environment).await, [1, 6], "{source}");
        assert!(stage.proofs(0, 4).await >= 4, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn connections_to_the_wrong_node_outlast_the_fault() {
    for source in servers().await {
        let mut stage = Stage::set(&source, &scenario("\"primary\"", "lead-to-standby", "2s")).await;
        let before = stage.sign_in().await.unwrap();
        stage.inject(0).await;
        stage.end_of(before.id).await;
        assert!(stage.proofs(0, 0).await == 0, "{source}");
        let misled = stage.sign_in().await.unwrap();
        assert_eq!(write(&misled.client, 1).await, read_only(), "{source}");
        stage.heal(0).await;
        assert_eq!(write(&misled.client, 2).await, read_only(), "{source}");
        assert_eq!(write(&stage.sign_in().await.unwrap().client, 3).await, None, "{source}");
        assert!(stage.proofs(0, 1).await > 0, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn promotion_in_place_keeps_connections() {
    for source in servers().await {
        let mut stage = Stage::set(&source, &scenario("\"standby\"", "promote-in-place", "0s")).await;
        stage.inject(0).await;
        let (session, amid) = (stage.sign_in().await.unwrap(), stage.sign_in().await.unwrap());
        assert_eq!(write(&session.client, 1).await, read_only(), "{source}");
        amid.client.batch_execute("BEGIN").await.unwrap();
        stage.heal(0).await;
        sleep(Duration::from_millis(200)).await;
        let said = [("ERROR".to_owned(), "25006".to_owned())];
        assert_eq!(stage.errors(session.id), said, "{source}: nothing is pushed");
        assert_eq!(write(&session.client, 2).await, None, "{source}: the session has become one that writes");
        assert_eq!(write(&amid.client, 3).await, read_only(), "{source}: a transaction stays what it was");
        amid.client.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(write(&amid.client, 4).await, None, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn unconfirmed_write_is_not_acknowledged() {
    for source in servers().await {
        let hosts = "\"primary\", \"standby\"";
        let stage = Stage::set(&source, &scenario(hosts, "demote-primary", "2s")).await;
        let (environment, session) = (&stage.environment, stage.sign_in().await.unwrap());
        // As if the standby had disappeared a moment before.
        let superuser = environment.server().superuser().unwrap().connect().await.unwrap();
        superuser.batch("ALTER SYSTEM SET synchronous_standby_names = 'gone'").await.unwrap();
        superuser.batch("SELECT pg_reload_conf()").await.unwrap();
        // The checkpointer has to read the setting, and no query shows when it has.
        sleep(Duration::from_secs(1)).await;
        let mut waiting = Box::pin(write(&session.client, 1));
        timeout(Duration::from_millis(500), &mut waiting).await.expect_err("a commit was not waited for");
        environment.promote_standby().await.unwrap();
        assert_eq!(environment.beside().unwrap().end_unconfirmed().await.unwrap(), 1, "{source}");
        // At most a warning 57P01, then the end of the connection: the server sends nothing more, so it never
        // confirms the commit.
        assert_eq!(waiting.await.as_deref(), Some("none"), "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn dead_address_is_silent_or_refuses() {
    for source in servers().await {
        for (kind, connects) in [("dead-address-hangs", None), ("dead-address-refuses", Some(false))] {
            let text = scenario("\"nobody\", \"primary\"", kind, "0s").replace("[server]\nstandby = true\n", "");
            let mut stage = Stage::set(&source, &text).await;
            stage.inject(0).await;
            let (first, second) =
                (stage.environment.gateway.address(), stage.environment.gateway_of(Host::Primary).unwrap().address());
            let tried = timeout(Duration::from_millis(500), tokio::net::TcpStream::connect(first)).await;
            assert_eq!(tried.ok().map(|tried| tried.is_ok()), connects, "{source}: {kind}");
            let _session = stage.sign_in_at(second).await.unwrap();
            stage.heal(0).await;
            assert!(stage.evidence(0).await.iter().all(|found| found.count > 0), "{source}: {kind}");
            stage.close().await;
        }
    }
}
