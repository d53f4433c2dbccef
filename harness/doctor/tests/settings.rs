//! Servers that accept the client, each with one setting wrong.

use super::bench::{CALM, DoctorBench, PASSWORD, assert_finding, concerns, examine_url, only_concern};
use crate::doctor::{Examination, Level, Topic, examine};
use crate::server::Server;
use crate::server::bootstrap::{DATABASE, OCCUPANT, ROLE, set_password};

#[tokio::test]
async fn healthy_server_has_no_concerns() {
    let Some(bench) = DoctorBench::new(&[]).await else { return };
    let diagnosis = bench.examined().await;
    assert_eq!((diagnosis.failed, diagnosis.problems), (None, 0), "{diagnosis}");
    assert!(concerns(&diagnosis).is_empty(), "{diagnosis}");
    let topics: Vec<_> = diagnosis.findings.iter().map(|finding| finding.topic).collect();
    for topic in [Topic::Tcp, Topic::Tls, Topic::SignIn, Topic::Path, Topic::ServerKeepalive, Topic::WalSender] {
        assert!(topics.contains(&topic), "{diagnosis}");
    }
}

#[tokio::test]
async fn each_bad_setting_is_one_finding() {
    for (name, value, topic, texts) in [
        ("statement_timeout", "0", Topic::StatementTimeout, ["none", "ALTER ROLE"]),
        ("idle_in_transaction_session_timeout", "0", Topic::IdleInTransaction, ["no limit", "25P03"]),
        ("idle_session_timeout", "5min", Topic::IdleSession, ["5m (set by: command line)", "57P05"]),
        ("wal_sender_timeout", "0", Topic::WalSender, ["vanishes", "55006"]),
        ("client_connection_check_interval", "0", Topic::VanishedClients, ["not checked", "10s"]),
    ] {
        let Some(bench) = DoctorBench::new(&[(name, value)]).await else { return };
        assert_finding(only_concern(&bench.examined().await), topic, Level::Notice, &texts);
    }
}

#[tokio::test]
async fn connection_slots_nearly_used_up() {
    let Some(bench) = DoctorBench::new(&[("max_connections", "12"), ("superuser_reserved_connections", "2")]).await
    else {
        return;
    };
    let superuser = bench.exclusive_session().await;
    set_password(&superuser, OCCUPANT, PASSWORD).await.unwrap();
    let occupants = bench.server.superuser().in_database(DATABASE).in_role(OCCUPANT, PASSWORD);
    let mut held = Vec::new();
    for _ in 0..7 {
        held.push(occupants.connect().await.unwrap());
    }
    // Seven sessions, the superuser's and the doctor's: nine of ten ordinary slots.
    let texts = ["9 of 12 used, 2 reserved, 1 remain", "53300"];
    assert_finding(only_concern(&bench.examined().await), Topic::ConnectionSlots, Level::Problem, &texts);
}

#[tokio::test]
async fn connection_slots_nearly_all_reserved() {
    let Some(bench) = DoctorBench::new(&[("max_connections", "12"), ("superuser_reserved_connections", "10")]).await
    else {
        return;
    };
    let _superuser = bench.exclusive_session().await;
    let texts = ["2 of 12 used, 10 reserved, 0 remain"];
    assert_finding(only_concern(&bench.examined().await), Topic::ConnectionSlots, Level::Problem, &texts);
}

#[tokio::test]
async fn role_at_its_connection_limit() {
    let Some(bench) = DoctorBench::new(&[]).await else { return };
    bench.superuser().await.batch(&format!("ALTER ROLE {ROLE} CONNECTION LIMIT 1")).await.unwrap();
    let texts = ["1 of 1 sessions used of role squall", "raise CONNECTION LIMIT"];
    assert_finding(only_concern(&bench.examined().await), Topic::ConnectionLimit, Level::Problem, &texts);
}

#[tokio::test]
async fn keepalive_longer_than_the_path_timeout() {
    let Some(bench) = DoctorBench::new(&[("tcp_keepalives_idle", "600")]).await else { return };
    let examined = async |parameters: &str| {
        let url = bench.url(parameters);
        let idle_timeout = Some(std::time::Duration::from_secs(240));
        let examination = Examination { target: url.parse().unwrap(), idle_timeout, patience: super::bench::PATIENCE };
        examine(&examination).await
    };
    // The bench's URL sets keepalives_idle=60.
    let texts = ["first probe of client after 1m, of server after 10m", "set tcp_keepalives_idle below 4m"];
    assert_finding(only_concern(&examined("").await), Topic::IdlePath, Level::Notice, &texts);
    let texts = ["first probe of client after 10m, of server after 10m", "break silently"];
    assert_finding(only_concern(&examined("keepalives_idle=600").await), Topic::IdlePath, Level::Problem, &texts);
}

#[tokio::test]
async fn inactive_replication_slot() {
    let Some(bench) = DoctorBench::new(&[("wal_level", "logical")]).await else { return };
    let session = bench.server.superuser().in_database(DATABASE).connect().await.unwrap();
    session.rows("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')", &[]).await.unwrap();
    session.batch("CREATE TABLE ballast AS SELECT generate_series(1, 100000)").await.unwrap();
    let diagnosis = bench.examined().await;
    let texts = ["left_behind (logical) is inactive", "MB of WAL, without limit", "pg_drop_replication_slot"];
    assert_finding(only_concern(&diagnosis), Topic::ReplicationSlots, Level::Problem, &texts);
    session.rows("SELECT pg_drop_replication_slot('left_behind')", &[]).await.unwrap();
    assert!(concerns(&bench.examined().await).is_empty());
}

#[tokio::test]
async fn invalidated_replication_slot() {
    let settings = [("max_slot_wal_keep_size", "1MB"), ("max_wal_size", "2MB"), ("min_wal_size", "2MB")];
    let Some(bench) = DoctorBench::new(&settings).await else { return };
    let session = bench.superuser().await;
    session.rows("SELECT pg_create_physical_replication_slot('too_late', true)", &[]).await.unwrap();
    session.batch("CREATE TABLE ballast AS SELECT generate_series(1, 200000)").await.unwrap();
    session.batch("CHECKPOINT").await.unwrap();
    let texts = ["too_late (physical) is invalidated", "drop the slot"];
    assert_finding(only_concern(&bench.examined().await), Topic::ReplicationSlots, Level::Problem, &texts);
}

#[tokio::test]
async fn missing_privilege_is_named() {
    let Some(bench) = DoctorBench::new(&[]).await else { return };
    let superuser = bench.exclusive_session().await;
    superuser.batch(&format!("REVOKE pg_monitor FROM {ROLE}")).await.unwrap();
    let diagnosis = bench.examined().await;
    assert_finding(
        only_concern(&diagnosis),
        Topic::OpenTransactions,
        Level::Notice,
        &["cannot read", "pg_read_all_stats"],
    );
    let slots = diagnosis.findings.iter().find(|finding| finding.topic == Topic::ConnectionSlots).unwrap();
    // The superuser's session is counted although its details are hidden; server workers are not.
    assert!(slots.value.starts_with("2 of 100 used") && slots.value.contains("(1 of them"), "{slots:?}");
}

#[tokio::test]
async fn examination_is_read_only() {
    let Some(bench) = DoctorBench::new(&[]).await else { return };
    let session = bench.server.superuser().in_database(DATABASE).connect().await.unwrap();
    // The role may not write, and every query of the doctor still succeeds.
    session.batch(&format!("ALTER ROLE {ROLE} SET default_transaction_read_only = on")).await.unwrap();
    assert!(concerns(&bench.examined().await).is_empty());
}

#[tokio::test]
async fn client_without_any_settings() {
    let Some(bench) = DoctorBench::new(&[]).await else { return };
    let url = bench.url("").replace(CALM, "keepalives=0");
    let diagnosis = examine_url(&url).await;
    let topics: Vec<_> = concerns(&diagnosis).iter().map(|finding| finding.topic).collect();
    assert_eq!(topics, [Topic::ConnectTimeout, Topic::ClientKeepalive], "{diagnosis}");
}
