//! Sign-ins that the server refuses, and sessions that it ends by its own timeouts.

use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::Error;

use super::{Stage, servers};

/// Returns a scenario with one persistent fault, from the start.
fn persistent(kind: &str, before: &str) -> String {
    format!(
        "schema = 1\ntitle = \"t\"\nclass = \"persistent\"\n{before}[[fault]]\nkind = \"{kind}\"\nat = \"0s\"\nfor = \"1s\"\n"
    )
}

/// Returns severity, code and text of the server's error.
fn said(error: &Error) -> (String, String, String) {
    let error = error.as_db_error().unwrap_or_else(|| panic!("the server did not say it: {error:?}"));
    (error.severity().to_owned(), error.code().code().to_owned(), error.message().to_owned())
}

#[tokio::test]
async fn refused_sign_in_names_the_reason_until_heal() {
    let cases = [
        ("wrong-password", "28P01", "password authentication failed for user \"squall\""),
        ("wrong-user", "28P01", "password authentication failed for user \"squall\""),
        ("wrong-database", "3D000", "database \"squall\" does not exist"),
        ("forbid-login", "28000", "role \"squall\" is not permitted to log in"),
        ("revoke-connect", "42501", "permission denied for database \"squall\""),
        ("deny-host", "28000", "no pg_hba.conf entry for host \""),
        ("deny-range", "28000", "no pg_hba.conf entry for host \""),
    ];
    // All on the same server, one after the other; the last leaves rules that admit only the client.
    let faults = (0..)
        .zip(cases)
        .map(|(index, (kind, ..))| format!("[[fault]]\nkind = \"{kind}\"\nat = \"{}s\"\nfor = \"1s\"\n", 2 * index));
    let scenario = format!("schema = 1\ntitle = \"t\"\nclass = \"persistent\"\n{}", faults.collect::<String>());
    for source in servers().await {
        let mut stage = Stage::set(&source, &scenario).await;
        let way = if stage.version() < 14 { ", SSL off" } else { ", no encryption" };
        for (index, (kind, code, text)) in cases.into_iter().enumerate() {
            stage.inject(index).await;
            assert_eq!(stage.proofs(index, 0).await, 0, "{kind}: the harness is no evidence");
            let (severity, sqlstate, message) = said(&stage.sign_in().await.unwrap_err());
            assert_eq!((severity.as_str(), sqlstate.as_str()), ("FATAL", code), "{source}: {kind}");
            assert!(message.starts_with(text), "{source}: {kind}: {message}");
            assert!(!text.contains("pg_hba") || message.ends_with(way), "{source}: {message}");
            stage.heal(index).await;
            let signed = stage.sign_in().await.unwrap_or_else(|error| panic!("{source}: {kind}: {error:?}"));
            signed.client.batch_execute("INSERT INTO pgsquall_ledger (id) VALUES (1)").await.unwrap();
            assert_eq!(stage.proofs(index, 1).await, 1, "{source}: {kind}");
        }
        stage.close().await;
    }
}

#[tokio::test]
async fn open_sessions_are_ended_and_kept_out() {
    for source in servers().await {
        for (kind, code) in [("wrong-user", "28P01"), ("wrong-database", "3D000"), ("deny-host", "28000")] {
            let scenario = persistent(kind, "").replace("\"0s\"", "\"2s\"");
            let mut stage = Stage::set(&source, &scenario).await;
            let mut session = stage.sign_in().await.unwrap();
            stage.inject(0).await;
            let told = session.hears().await.unwrap_or_else(|| panic!("{source}: {kind}: silence"));
            assert_eq!(told.code().code(), "57P01", "{source}: {kind}");
            assert_eq!(said(&stage.sign_in().await.unwrap_err()).1, code, "{source}: {kind}");
            stage.heal(0).await;
            stage.sign_in().await.unwrap();
            stage.close().await;
        }
    }
}

#[tokio::test]
async fn ranges_are_admitted_step_by_step() {
    for source in servers().await {
        let mut stage = Stage::set(&source, &persistent("deny-range", "")).await;
        stage.inject(0).await;
        stage.heal(0).await;
        let ranges: Vec<_> = stage.evidence(0).await.into_iter().filter(|found| found.what.contains("range")).collect();
        let [beside, all, only] = ranges.as_slice() else { panic!("{source}: {ranges:?}") };
        assert!(beside.what.ends_with(".254 in force"), "{source}: {beside:?}");
        assert_eq!(all.what, "range 0.0.0.0–255.255.255.255 in force");
        let alone = only.what.trim_start_matches("range ").trim_end_matches(" in force").split_once('–').unwrap();
        assert_eq!(alone.0, alone.1, "{source}");
        let session = stage.environment.server().superuser().unwrap().connect().await.unwrap();
        let rules = "SELECT address, netmask FROM pg_hba_file_rules WHERE type = 'host' AND user_name = '{all}'";
        let rows = session.rows(rules, &[]).await.unwrap();
        assert_eq!(rows.len(), 1, "{source}");
        assert_eq!((rows[0].get::<_, &str>(0), rows[0].get::<_, &str>(1)), (alone.0, "255.255.255.255"), "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_rotated_password_is_found_in_its_file() {
    let scenario = "schema = 1\ntitle = \"t\"\n[client]\npassword = \"file\"\n\
                    [[fault]]\nkind = \"rotate-password\"\nat = \"2s\"\nfor = \"1s\"\n";
    for source in servers().await {
        let mut stage = Stage::set(&source, scenario).await;
        let mut session = stage.sign_in().await.unwrap();
        stage.inject(0).await;
        assert_eq!(session.hears().await.unwrap().code().code(), "57P01", "{source}");
        assert_eq!(said(&stage.sign_in().await.unwrap_err()).1, "28P01", "{source}: the file still has the old one");
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        assert_ne!(stage.environment.address.current_password().unwrap(), stage.environment.address.password);
        assert_eq!(stage.proofs(0, 1).await, 1, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn idle_sessions_are_ended_with_an_error() {
    for source in servers().await {
        for (kind, begin, code, text) in [
            ("idle-session-timeout", "SELECT 1", "57P05", "terminating connection due to idle-session timeout"),
            (
                "idle-in-transaction-timeout",
                "BEGIN",
                "25P03",
                "terminating connection due to idle-in-transaction timeout",
            ),
        ] {
            let scenario = format!(
                "schema = 1\ntitle = \"t\"\n[[fault]]\nkind = \"{kind}\"\nafter = \"1s\"\nat = \"2s\"\nfor = \"1s\"\n"
            );
            let mut stage = Stage::set(&source, &scenario).await;
            stage.inject(0).await;
            let mut session = stage.sign_in().await.unwrap();
            // Within the timeout of one second, even on a busy machine.
            session.client.batch_execute(begin).await.unwrap();
            let told = session.hears().await.unwrap_or_else(|| panic!("{source}: {kind}: silence"));
            assert_eq!((told.severity(), told.code().code(), told.message()), ("FATAL", code, text), "{source}");
            assert_eq!(stage.errors(session.id), [("FATAL".into(), code.into())], "{source}");
            stage.heal(0).await;
            assert_eq!(stage.proofs(0, 1).await, 1, "{source}: {kind}");
            // After heal no timeout applies to new sessions.
            let session = stage.sign_in().await.unwrap();
            session.client.batch_execute(begin).await.unwrap();
            sleep(Duration::from_millis(1500)).await;
            session.client.batch_execute("SELECT 1").await.unwrap();
            stage.close().await;
        }
    }
}

#[tokio::test]
async fn a_cancelled_statement_leaves_its_session_usable() {
    let scenario = "schema = 1\ntitle = \"t\"\n[[fault]]\nkind = \"statement-timeout\"\nafter = \"300ms\"\nat = \"2s\"\nfor = \"1s\"\n";
    for source in servers().await {
        let mut stage = Stage::set(&source, scenario).await;
        let session = stage.sign_in().await.unwrap();
        stage.inject(0).await;
        for statement in ["SELECT count(*) FROM pgsquall_ledger", "INSERT INTO pgsquall_ledger (id) VALUES (1)"] {
            let error = session.client.batch_execute(statement).await.unwrap_err();
            let expected = ("ERROR", "57014", "canceling statement due to statement timeout");
            let (severity, sqlstate, message) = said(&error);
            assert_eq!((severity.as_str(), sqlstate.as_str(), message.as_str()), expected, "{source}");
        }
        session.client.batch_execute("SELECT 1").await.unwrap();
        stage.heal(0).await;
        session.client.batch_execute("INSERT INTO pgsquall_ledger (id) VALUES (1)").await.unwrap();
        assert_eq!(stage.proofs(0, 2).await, 2, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn reserved_name_does_not_resolve() {
    let scenario = persistent("wrong-host", "[client]\nhosts = [\"unresolvable\"]\n");
    for source in servers().await {
        let mut stage = Stage::set(&source, &scenario).await;
        stage.inject(0).await;
        assert_eq!(stage.environment.address.hosts[0].host, "pgsquall.invalid", "{source}");
        let evidence = stage.evidence(0).await;
        assert_eq!(
            (stage.proofs(0, 0).await, evidence[0].count),
            (0, 1),
            "that the client met it, its operations show"
        );
        stage.heal(0).await;
        stage.close().await;
    }
}
