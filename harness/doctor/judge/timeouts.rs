//! Judges the server's timeouts for sessions and statements, as set for this role in this database.

use std::time::Duration;

use super::Settings;
use crate::doctor::facts::Setting;
use crate::doctor::finding::{Finding, Topic};
use crate::model::time::exact;

pub(super) const SOURCE: &str = "PostgreSQL manual, \"Statement Behavior\"";
const REPLICATION: &str = "PostgreSQL manual, \"Sending Servers\"";

pub(super) fn judge(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut judge = |name: &str, judged: fn(Option<Duration>, &Setting) -> Finding| {
        // Settings missing in this version are skipped.
        if let Some((setting, limit)) = settings.get(name).and_then(|setting| Some((setting, setting.duration()?))) {
            findings.push(judged(Some(limit).filter(|limit| !limit.is_zero()), setting));
        }
    };
    judge("statement_timeout", statement);
    judge("transaction_timeout", transaction);
    judge("idle_in_transaction_session_timeout", idle_in_transaction);
    judge("idle_session_timeout", idle_session);
    judge("wal_sender_timeout", wal_sender);
    findings
}

/// A duration with the origin of the setting, which shows where to change it.
fn with_source(limit: Duration, setting: &Setting) -> String {
    format!("{} (set by: {})", exact(limit), setting.source)
}

fn statement(limit: Option<Duration>, setting: &Setting) -> Finding {
    let topic = Topic::StatementTimeout;
    match limit {
        Some(limit) => Finding::ok(
            topic,
            format!("{}: then 57014, and the session continues", with_source(limit, setting)),
            SOURCE,
        ),
        None => Finding::notice(
            topic,
            "none: a statement may run for ever",
            "set statement_timeout for the application's role (ALTER ROLE … SET), above its slowest statement",
            SOURCE,
        ),
    }
}

fn transaction(limit: Option<Duration>, setting: &Setting) -> Finding {
    let topic = Topic::TransactionTimeout;
    match limit {
        Some(limit) => {
            let value = format!("{}: then FATAL 25P04, and the connection is closed", with_source(limit, setting));
            let advice =
                "the client must treat 25P04 as a lost connection; is the limit above the longest transaction?";
            Finding::notice(topic, value, advice, SOURCE)
        }
        None => Finding::ok(topic, "none", SOURCE),
    }
}

fn idle_in_transaction(limit: Option<Duration>, setting: &Setting) -> Finding {
    let topic = Topic::IdleInTransaction;
    match limit {
        Some(limit) => {
            let value = format!("{}: then FATAL 25P03, and the connection is closed", with_source(limit, setting));
            Finding::ok(topic, value, SOURCE)
        }
        None => Finding::notice(
            topic,
            "no limit: a client that stops inside a transaction keeps its locks and blocks vacuum",
            "set idle_in_transaction_session_timeout = 60s or so; the client must treat FATAL 25P03 as a lost connection",
            SOURCE,
        ),
    }
}

fn idle_session(limit: Option<Duration>, setting: &Setting) -> Finding {
    let topic = Topic::IdleSession;
    match limit {
        Some(limit) => Finding::notice(
            topic,
            format!("the server closes sessions that are idle for {} (FATAL 57P05)", with_source(limit, setting)),
            "a pool's idle connections break after that time: make the pool close them earlier, or set \
             idle_session_timeout = 0 for its role",
            SOURCE,
        ),
        None => Finding::ok(topic, "no limit", SOURCE),
    }
}

fn wal_sender(limit: Option<Duration>, setting: &Setting) -> Finding {
    let topic = Topic::WalSender;
    match limit {
        Some(limit) => {
            let value = format!("{}: a silent replication client is closed after that", with_source(limit, setting));
            Finding::ok(topic, value, REPLICATION)
        }
        None => Finding::notice(
            topic,
            "none: a replication client that vanishes is never detected, and its slot stays active",
            "set wal_sender_timeout = 60s; a client that reconnects is refused (55006) while its slot is active",
            REPLICATION,
        ),
    }
}
