//! Servers that let us in, each with one thing wrong.

use super::bench::{Bench, CALM, PASSWORD, examined, only, says, wrong};
use crate::doctor::{Examination, Level, Topic, examine};
use crate::server::Server;
use crate::server::bootstrap::{DATABASE, OCCUPANT, ROLE, set_password};

#[tokio::test]
async fn a_healthy_server_gives_nothing() {
    let Some(bench) = Bench::new(&[]).await else { return };
    let diagnosis = bench.examined().await;
    assert_eq!((diagnosis.failed, diagnosis.problems), (None, 0), "{diagnosis}");
    assert!(wrong(&diagnosis).is_empty(), "{diagnosis}");
    let topics: Vec<_> = diagnosis.findings.iter().map(|finding| finding.topic).collect();
    for topic in [Topic::Tcp, Topic::Tls, Topic::SignIn, Topic::Path, Topic::ServerKeepalive, Topic::WalSender] {
        assert!(topics.contains(&topic), "{diagnosis}");
    }
}

#[tokio::test]
async fn one_setting_that_hurts_is_one_finding() {
    for (name, value, topic, texts) in [
        ("statement_timeout", "0", Topic::StatementTimeout, ["none", "ALTER ROLE"]),
        ("idle_in_transaction_session_timeout", "0", Topic::IdleInTransaction, ["no limit", "25P03"]),
        ("idle_session_timeout", "5min", Topic::IdleSession, ["5m (set by: command line)", "57P05"]),
        ("wal_sender_timeout", "0", Topic::WalSender, ["vanished", "55006"]),
        ("client_connection_check_interval", "0", Topic::VanishedClients, ["not looked for", "10s"]),
    ] {
        let Some(bench) = Bench::new(&[(name, value)]).await else { return };
        says(only(&bench.examined().await), topic, Level::Notice, &texts);
    }
}

#[tokio::test]
async fn slots_that_are_nearly_all_taken() {
    let Some(bench) = Bench::new(&[("max_connections", "12"), ("superuser_reserved_connections", "2")]).await else {
        return;
    };
    let superuser = bench.alone().await;
    set_password(&superuser, OCCUPANT, PASSWORD).await.unwrap();
    let occupants = bench.server.superuser().in_database(DATABASE).in_role(OCCUPANT, PASSWORD);
    let mut held = Vec::new();
    for _ in 0..7 {
        held.push(occupants.connect().await.unwrap());
    }
    // Seven, the superuser's and the doctor's: nine of ten.
    let texts = ["9 of 12 used, 2 reserved, 1 remain", "53300"];
    says(only(&bench.examined().await), Topic::ConnectionSlots, Level::Problem, &texts);
}

#[tokio::test]
async fn slots_that_are_nearly_all_reserved() {
    let Some(bench) = Bench::new(&[("max_connections", "12"), ("superuser_reserved_connections", "10")]).await else {
        return;
    };
    let _superuser = bench.alone().await;
    let texts = ["2 of 12 used, 10 reserved, 0 remain"];
    says(only(&bench.examined().await), Topic::ConnectionSlots, Level::Problem, &texts);
}

#[tokio::test]
async fn a_role_at_its_limit() {
    let Some(bench) = Bench::new(&[]).await else { return };
    bench.superuser().await.batch(&format!("ALTER ROLE {ROLE} CONNECTION LIMIT 1")).await.unwrap();
    let texts = ["1 of 1 sessions used of role squall", "raise CONNECTION LIMIT"];
    says(only(&bench.examined().await), Topic::ConnectionLimit, Level::Problem, &texts);
}

#[tokio::test]
async fn keepalive_that_comes_after_the_path_has_forgotten() {
    let Some(bench) = Bench::new(&[("tcp_keepalives_idle", "600")]).await else { return };
    let examined = async |parameters: &str| {
        let url = bench.url(parameters);
        let idle_timeout = Some(std::time::Duration::from_secs(240));
        let examination = Examination { target: url.parse().unwrap(), idle_timeout, patience: super::bench::PATIENCE };
        examine(&examination).await
    };
    // The client of the bench speaks after a minute.
    let texts = ["first probe of client after 1m, of server after 10m", "set tcp_keepalives_idle below 4m"];
    says(only(&examined("").await), Topic::IdlePath, Level::Notice, &texts);
    let texts = ["first probe of client after 10m, of server after 10m", "break without a word"];
    says(only(&examined("keepalives_idle=600").await), Topic::IdlePath, Level::Problem, &texts);
}

#[tokio::test]
async fn a_slot_whose_consumer_is_away() {
    let Some(bench) = Bench::new(&[("wal_level", "logical")]).await else { return };
    let session = bench.server.superuser().in_database(DATABASE).connect().await.unwrap();
    session.rows("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')", &[]).await.unwrap();
    session.batch("CREATE TABLE ballast AS SELECT generate_series(1, 100000)").await.unwrap();
    let diagnosis = bench.examined().await;
    let texts = ["left_behind (logical) is inactive", "MB of WAL, without limit", "pg_drop_replication_slot"];
    says(only(&diagnosis), Topic::ReplicationSlots, Level::Problem, &texts);
    session.rows("SELECT pg_drop_replication_slot('left_behind')", &[]).await.unwrap();
    assert!(wrong(&bench.examined().await).is_empty());
}

#[tokio::test]
async fn a_slot_that_has_lost_its_wal() {
    let settings = [("max_slot_wal_keep_size", "1MB"), ("max_wal_size", "2MB"), ("min_wal_size", "2MB")];
    let Some(bench) = Bench::new(&settings).await else { return };
    let session = bench.superuser().await;
    session.rows("SELECT pg_create_physical_replication_slot('too_late', true)", &[]).await.unwrap();
    session.batch("CREATE TABLE ballast AS SELECT generate_series(1, 200000)").await.unwrap();
    session.batch("CHECKPOINT").await.unwrap();
    let texts = ["too_late (physical) is invalidated", "drop the slot"];
    says(only(&bench.examined().await), Topic::ReplicationSlots, Level::Problem, &texts);
}

#[tokio::test]
async fn a_role_that_may_not_see_others_is_told_what_it_lacks() {
    let Some(bench) = Bench::new(&[]).await else { return };
    let superuser = bench.alone().await;
    superuser.batch(&format!("REVOKE pg_monitor FROM {ROLE}")).await.unwrap();
    let diagnosis = bench.examined().await;
    says(only(&diagnosis), Topic::OpenTransactions, Level::Notice, &["cannot be read here", "pg_read_all_stats"]);
    let slots = diagnosis.findings.iter().find(|finding| finding.topic == Topic::ConnectionSlots).unwrap();
    // The superuser's session is counted though it cannot be seen in full; workers of the server are not.
    assert!(slots.value.starts_with("2 of 100 used") && slots.value.contains("(1 of them"), "{slots:?}");
}

#[tokio::test]
async fn it_changes_nothing() {
    let Some(bench) = Bench::new(&[]).await else { return };
    let session = bench.server.superuser().in_database(DATABASE).connect().await.unwrap();
    // Even where writing is forbidden to it everything is answered.
    session.batch(&format!("ALTER ROLE {ROLE} SET default_transaction_read_only = on")).await.unwrap();
    assert!(wrong(&bench.examined().await).is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_all_to_chance() {
    let Some(bench) = Bench::new(&[]).await else { return };
    let url = bench.url("").replace(CALM, "keepalives=0");
    let diagnosis = examined(&url).await;
    let topics: Vec<_> = wrong(&diagnosis).iter().map(|finding| finding.topic).collect();
    assert_eq!(topics, [Topic::ConnectTimeout, Topic::ClientKeepalive], "{diagnosis}");
}
