//! Providers' hosts, judged from constructed facts.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::bench::assert_finding;
use crate::doctor::facts::{Facts, Failure, FailureKind, Identity, Keepalive, Negotiated, ServerFacts, Timed};
use crate::doctor::{Circumstances, Diagnosis, Finding, Level, Target, Topic, judge};

/// A server of version 13: it has no `client_connection_check_interval` and no `idle_session_timeout`.
const SETTINGS: &str = r#"{
    "max_connections": {"setting": "100", "unit": null, "source": "default"},
    "tcp_keepalives_idle": {"setting": "7200", "unit": "s", "source": "default"},
    "tcp_keepalives_interval": {"setting": "75", "unit": "s", "source": "default"},
    "tcp_keepalives_count": {"setting": "9", "unit": "", "source": "default"},
    "tcp_user_timeout": {"setting": "0", "unit": "ms", "source": "default"},
    "statement_timeout": {"setting": "0", "unit": "ms", "source": "default"}}"#;

const LOCAL: &str = "10.0.0.9:50000";

fn diagnosis(url: &str) -> Diagnosis {
    let target: Target = url.parse().unwrap();
    let took = Duration::from_millis(3);
    let unanswered = || Failure::new(FailureKind::ServerError("42501".into()), "ERROR 42501: permission denied");
    let server_facts = ServerFacts {
        identity: Ok(Identity {
            version: "13.23".into(),
            role: "app".into(),
            superuser: false,
            sees_all: false,
            standby: false,
            up_s: 1e6,
            client_addr: Some("10.0.0.9".parse().unwrap()),
            client_port: Some(6000),
        }),
        console: None,
        settings: Ok(serde_json::from_str(SETTINGS).unwrap()),
        sessions: Err(unanswered()),
        slots: Err(unanswered()),
    };
    let system = Keepalive { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), count: 9 };
    let address: SocketAddr = "10.0.0.1:5432".parse().unwrap();
    let facts = Facts {
        host: target.host.clone(),
        redacted: target.redacted(),
        client_settings: target.client_settings.clone(),
        tls: target.tls.clone(),
        unused: Vec::new(),
        system: Some(system),
        client_certificate: None,
        lookup: Some(Timed { took, result: Ok(vec![address.ip()]) }),
        dials: vec![(address, Timed { took, result: Ok(()) })],
        negotiations: vec![Timed { took, result: Ok(Negotiated::NotOffered) }],
        sign_in: Some(Timed { took, result: Ok(()) }),
        server_facts: Some(server_facts),
        local: Some(LOCAL.parse().unwrap()),
    };
    judge::judge(&facts, &Circumstances { idle_timeout: None, now: SystemTime::now() })
}

fn findings_of(diagnosis: &Diagnosis, topic: Topic) -> Vec<&Finding> {
    diagnosis.findings.iter().filter(|finding| finding.topic == topic).collect()
}

#[test]
fn default_keepalive_exceeds_four_minutes() {
    let diagnosis = diagnosis("postgres://app@x.postgres.database.azure.com/app");
    let idle = findings_of(&diagnosis, Topic::IdlePath);
    let texts =
        ["Azure Database", "an Azure Load Balancer, if one is on the path, drops connections after 4m", "after 2h"];
    assert_finding(idle[0], Topic::IdlePath, Level::Notice, &texts);
    let keepalive = findings_of(&diagnosis, Topic::ClientKeepalive);
    assert_finding(keepalive[0], Topic::ClientKeepalive, Level::Notice, &["2h 11m 15s in all", "keepalives_idle=60"]);
}

#[test]
fn user_timeout_replaces_the_probe_count() {
    let found = diagnosis("postgres://app@db.example.com/app?keepalives_idle=60&tcp_user_timeout=30000");
    let keepalive = findings_of(&found, Topic::ClientKeepalive)[0];
    assert!(keepalive.value.contains("given up after tcp_user_timeout: 2m 15s in all"), "{keepalive:?}");
    assert_eq!(keepalive.level, Level::Ok);
}

#[test]
fn device_on_every_path_is_a_problem() {
    let host = "pg-1234.elb.eu-west-1.amazonaws.com";
    let found = diagnosis(&format!("postgres://app@{host}/app"));
    assert_finding(
        findings_of(&found, Topic::IdlePath)[0],
        Topic::IdlePath,
        Level::Problem,
        &["5m 50s", "break silently"],
    );
    let found = diagnosis(&format!("postgres://app@{host}/app?keepalives_idle=60"));
    assert_finding(findings_of(&found, Topic::IdlePath)[0], Topic::IdlePath, Level::Notice, &["only this client"]);
    // A probe at the same second is too late.
    let found = diagnosis(&format!("postgres://app@{host}/app?keepalives_idle=350"));
    assert_eq!(findings_of(&found, Topic::IdlePath)[0].level, Level::Problem);
}

#[test]
fn keepalive_does_not_help_with_rds_proxy() {
    let found = diagnosis("postgres://app@p.proxy-cx.eu-west-1.rds.amazonaws.com/app?keepalives_idle=60");
    assert_finding(
        findings_of(&found, Topic::IdlePath)[0],
        Topic::IdlePath,
        Level::Notice,
        &["RDS Proxy", "keepalive does not help"],
    );
}

#[test]
fn unverified_timeouts_are_marked() {
    let found = diagnosis("postgres://app@ep-1.eu-central-1.aws.neon.tech/app");
    assert_finding(
        findings_of(&found, Topic::IdlePath)[0],
        Topic::IdlePath,
        Level::Notice,
        &["Neon", "not verified", "--idle-timeout"],
    );
    let found = diagnosis("postgres://app@db.example.com/app");
    assert_finding(
        findings_of(&found, Topic::IdlePath)[0],
        Topic::IdlePath,
        Level::Notice,
        &["unknown", "--idle-timeout"],
    );
}

#[test]
fn missing_privilege_is_named_in_advice() {
    let found = diagnosis("postgres://app@db.example.com/app");
    for topic in [Topic::ConnectionSlots, Topic::ReplicationSlots] {
        assert_finding(findings_of(&found, topic)[0], topic, Level::Notice, &["permission denied", "pg_monitor"]);
    }
}

#[test]
fn settings_absent_in_a_version_are_skipped() {
    let found = diagnosis("postgres://app@db.example.com/app");
    for topic in [Topic::IdleSession, Topic::TransactionTimeout, Topic::VanishedClients] {
        assert!(findings_of(&found, topic).is_empty(), "{found}");
    }
    assert_eq!(findings_of(&found, Topic::StatementTimeout).len(), 1);
}

#[test]
fn different_client_address_means_intermediary() {
    let found = diagnosis("postgres://app@db.example.com/app");
    assert_finding(
        findings_of(&found, Topic::Path)[0],
        Topic::Path,
        Level::Notice,
        &[LOCAL, "10.0.0.9:6000", "pooler"],
    );
}

#[test]
fn unencrypted_network_is_a_notice() {
    let found = diagnosis("postgres://app@db.example.com/app");
    assert_finding(findings_of(&found, Topic::Tls)[0], Topic::Tls, Level::Notice, &["ssl = off", "verify-full"]);
}
