//! Findings: one for each stage and topic.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::model::time::optional_micros;

/// One step of connecting, in the order in which a client takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Dns,
    Tcp,
    Tls,
    SignIn,
    /// Queries after sign-in.
    Queries,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Dns => "DNS",
            Stage::Tcp => "TCP",
            Stage::Tls => "TLS",
            Stage::SignIn => "sign-in",
            Stage::Queries => "queries",
        })
    }
}

/// The topic of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    Dns,
    Tcp,
    Tls,
    Certificate,
    ClientCertificate,
    SignIn,
    Server,
    Path,
    ConnectionSlots,
    ConnectionLimit,
    OpenTransactions,
    ConnectTimeout,
    ClientKeepalive,
    ClientUserTimeout,
    ServerKeepalive,
    ServerUserTimeout,
    VanishedClients,
    IdlePath,
    StatementTimeout,
    TransactionTimeout,
    IdleInTransaction,
    IdleSession,
    WalSender,
    ReplicationSlots,
    Parameters,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Topic::Dns => "DNS",
            Topic::Tcp => "TCP",
            Topic::Tls => "TLS",
            Topic::Certificate => "certificate",
            Topic::ClientCertificate => "client certificate",
            Topic::SignIn => "sign-in",
            Topic::Server => "server",
            Topic::Path => "path",
            Topic::ConnectionSlots => "connection slots",
            Topic::ConnectionLimit => "connection limit",
            Topic::OpenTransactions => "open transactions",
            Topic::ConnectTimeout => "connect timeout",
            Topic::ClientKeepalive => "client keepalive",
            Topic::ClientUserTimeout => "client user timeout",
            Topic::ServerKeepalive => "server keepalive",
            Topic::ServerUserTimeout => "server user timeout",
            Topic::VanishedClients => "vanished clients",
            Topic::IdlePath => "idle path",
            Topic::StatementTimeout => "statement timeout",
            Topic::TransactionTimeout => "transaction timeout",
            Topic::IdleInTransaction => "idle in transaction",
            Topic::IdleSession => "idle session",
            Topic::WalSender => "WAL sender timeout",
            Topic::ReplicationSlots => "replication slots",
            Topic::Parameters => "URL parameters",
        })
    }
}

/// The severity of a finding, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Correct, or for information only.
    Ok,
    /// Works, but fails in circumstances that the finding names.
    Notice,
    /// Does not work, or is about to fail.
    Problem,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Ok => "ok",
            Level::Notice => "notice",
            Level::Problem => "PROBLEM",
        })
    }
}

/// One finding: its topic, severity, observation, advice and source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub topic: Topic,
    pub level: Level,
    /// The observation, with its unit.
    pub value: String,
    /// What to do; `None` if there is nothing to do.
    pub advice: Option<String>,
    /// The document on which the judgement is based.
    pub source: &'static str,
    /// The time of a stage; `None` for other findings.
    #[serde(rename = "took_us", with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
}

impl Finding {
    pub(super) fn ok(topic: Topic, value: impl Into<String>, source: &'static str) -> Finding {
        Finding { topic, level: Level::Ok, value: value.into(), advice: None, source, took: None }
    }

    pub(super) fn notice(
        topic: Topic,
        value: impl Into<String>,
        advice: impl Into<String>,
        source: &'static str,
    ) -> Finding {
        Finding { level: Level::Notice, advice: Some(advice.into()), ..Finding::ok(topic, value, source) }
    }

    pub(super) fn problem(
        topic: Topic,
        value: impl Into<String>,
        advice: impl Into<String>,
        source: &'static str,
    ) -> Finding {
        Finding { level: Level::Problem, ..Finding::notice(topic, value, advice, source) }
    }

    /// A fact that cannot be read because a privilege is missing.
    pub(super) fn unreadable(topic: Topic, what: &str, reason: &str, privilege: &str, source: &'static str) -> Finding {
        let advice = format!("to check it, sign in as a role with {privilege}");
        Finding::notice(topic, format!("cannot read {what}: {reason}"), advice, source)
    }

    pub(super) fn timed(self, took: Duration) -> Finding {
        Finding { took: Some(took), ..self }
    }
}
