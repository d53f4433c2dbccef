//! Providers' hosts, judged from facts as they would be gathered there.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::bench::says;
use crate::doctor::facts::{Answers, Facts, Failure, FailureKind, Identity, Keepalive, Negotiated, Timed};
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
    let unanswered = || Failure::new(FailureKind::Told("42501".into()), "ERROR 42501: permission denied");
    let answers = Answers {
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
        shown: target.shown(),
        wishes: target.wishes.clone(),
        encryption: target.encryption.clone(),
        unused: Vec::new(),
        system: Some(system),
        client_certificate: None,
        lookup: Some(Timed { took, result: Ok(vec![address.ip()]) }),
        dials: vec![(address, Timed { took, result: Ok(()) })],
        negotiations: vec![Timed { took, result: Ok(Negotiated::NotOffered) }],
        sign_in: Some(Timed { took, result: Ok(()) }),
        answers: Some(answers),
        local: Some(LOCAL.parse().unwrap()),
    };
    judge::judge(&facts, &Circumstances { idle_timeout: None, now: SystemTime::now() })
}

fn of(diagnosis: &Diagnosis, topic: Topic) -> Vec<&Finding> {
    diagnosis.findings.iter().filter(|finding| finding.topic == topic).collect()
}

#[test]
fn the_systems_keepalive_does_not_fit_under_four_minutes() {
    let diagnosis = diagnosis("postgres://app@x.postgres.database.azure.com/app");
    let idle = of(&diagnosis, Topic::IdlePath);
    let texts = ["Azure Database", "an Azure Load Balancer, where one stands in the way, forgets after 4m", "after 2h"];
    says(idle[0], Topic::IdlePath, Level::Notice, &texts);
    let keepalive = of(&diagnosis, Topic::ClientKeepalive);
    says(keepalive[0], Topic::ClientKeepalive, Level::Notice, &["2h 11m 15s in all", "keepalives_idle=60"]);
}

#[test]
fn a_user_timeout_takes_the_place_of_the_count() {
    let found = diagnosis("postgres://app@db.example.com/app?keepalives_idle=60&tcp_user_timeout=30000");
    let keepalive = of(&found, Topic::ClientKeepalive)[0];
    assert!(keepalive.value.contains("given up after tcp_user_timeout: 2m 15s in all"), "{keepalive:?}");
    assert_eq!(keepalive.level, Level::Ok);
}

#[test]
fn a_device_that_is_certainly_there_is_a_problem() {
    let host = "pg-1234.elb.eu-west-1.amazonaws.com";
    let found = diagnosis(&format!("postgres://app@{host}/app"));
    says(of(&found, Topic::IdlePath)[0], Topic::IdlePath, Level::Problem, &["5m 50s", "break without a word"]);
    let found = diagnosis(&format!("postgres://app@{host}/app?keepalives_idle=60"));
    says(of(&found, Topic::IdlePath)[0], Topic::IdlePath, Level::Notice, &["only this client"]);
    // At the same second it is too late.
    let found = diagnosis(&format!("postgres://app@{host}/app?keepalives_idle=350"));
    assert_eq!(of(&found, Topic::IdlePath)[0].level, Level::Problem);
}

#[test]
fn keepalive_is_no_activity_to_a_proxy_that_counts_requests() {
    let found = diagnosis("postgres://app@p.proxy-cx.eu-west-1.rds.amazonaws.com/app?keepalives_idle=60");
    says(of(&found, Topic::IdlePath)[0], Topic::IdlePath, Level::Notice, &["RDS Proxy", "keepalive does not help"]);
}

#[test]
fn what_nobody_has_verified_is_called_that() {
    let found = diagnosis("postgres://app@ep-1.eu-central-1.aws.neon.tech/app");
    says(of(&found, Topic::IdlePath)[0], Topic::IdlePath, Level::Notice, &["Neon", "not verified", "--idle-timeout"]);
    let found = diagnosis("postgres://app@db.example.com/app");
    says(of(&found, Topic::IdlePath)[0], Topic::IdlePath, Level::Notice, &["not known", "--idle-timeout"]);
}

#[test]
fn what_cannot_be_read_is_said_with_the_privilege_that_it_needs() {
    let found = diagnosis("postgres://app@db.example.com/app");
    for topic in [Topic::ConnectionSlots, Topic::ReplicationSlots] {
        says(of(&found, topic)[0], topic, Level::Notice, &["permission denied", "pg_monitor"]);
    }
}

#[test]
fn a_setting_that_a_version_does_not_have_is_left_out() {
    let found = diagnosis("postgres://app@db.example.com/app");
    for topic in [Topic::IdleSession, Topic::TransactionTimeout, Topic::VanishedClients] {
        assert!(of(&found, topic).is_empty(), "{found}");
    }
    assert_eq!(of(&found, Topic::StatementTimeout).len(), 1);
}

#[test]
fn another_end_than_the_one_that_left_here_is_something_in_between() {
    let found = diagnosis("postgres://app@db.example.com/app");
    says(of(&found, Topic::Path)[0], Topic::Path, Level::Notice, &[LOCAL, "10.0.0.9:6000", "pooler"]);
}

#[test]
fn without_encryption_on_a_network_is_a_notice() {
    let found = diagnosis("postgres://app@db.example.com/app");
    says(of(&found, Topic::Tls)[0], Topic::Tls, Level::Notice, &["ssl = off", "verify-full"]);
}
