//! What was gathered, as plain data: judging sees nothing else.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::target::{Encryption, Wishes};

/// Everything gathered in one examination. What comes after a stage that failed is `None`.
pub(super) struct Facts {
    /// Host, or address where the URL has no name.
    pub host: String,
    pub shown: String,
    pub wishes: Wishes,
    pub encryption: Encryption,
    /// Parameters of the URL that nothing looks at.
    pub unused: Vec<String>,
    /// What this machine does for sockets that ask for nothing; `None` where it does not say.
    pub system: Option<Keepalive>,
    pub client_certificate: Option<Result<Certificate, String>>,
    /// `None` where the URL has the address.
    pub lookup: Option<Timed<Result<Vec<IpAddr>, String>>>,
    pub dials: Vec<(SocketAddr, Timed<Result<(), Failure>>)>,
    /// One entry, or two: TLS failed where it was only preferred, and it went on without.
    pub negotiations: Vec<Timed<Result<Negotiated, Failure>>>,
    pub sign_in: Option<Timed<Result<(), Failure>>>,
    pub answers: Option<Answers>,
    /// This end of the connection, as it left here.
    pub local: Option<SocketAddr>,
}

/// What came of something, and how long it took.
pub(super) struct Timed<T> {
    pub took: Duration,
    pub result: T,
}

/// Why a stage failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub kind: FailureKind,
    /// As the system, the server or the library put it.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Nothing came within the stage's deadline.
    Silence,
    /// ECONNREFUSED.
    Refused,
    /// No route: EHOSTUNREACH, ENETUNREACH.
    Unreachable,
    /// The connection was there, and was ended without a word.
    Closed,
    /// The server said why, with this SQLSTATE.
    Told(String),
    /// What answers does not speak Postgres's protocol.
    Foreign,
    /// TLS is required, and the server has none.
    NoTls,
    /// The server asks for a password, and there is none.
    NoPassword,
    Other,
}

impl Failure {
    pub fn new(kind: FailureKind, text: impl Into<String>) -> Failure {
        Failure { kind, text: text.into() }
    }
}

/// How the connection is encrypted.
pub(super) enum Negotiated {
    /// `sslmode=disable`: not asked for.
    NotAsked,
    /// Asked for, and the server has none.
    NotOffered,
    Encrypted(Encrypted),
}

pub(super) struct Encrypted {
    /// `TLS 1.3`.
    pub version: &'static str,
    /// The server's own first.
    pub chain: Vec<Result<Certificate, String>>,
    pub trust: Trust,
}

/// Whether the certificate was verified as `sslmode` asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// `sslmode` asks for no verification.
    NotAsked,
    /// By these authorities, in words.
    Verified(String),
    /// Each reason is a sentence.
    Refused(Vec<String>),
}

/// What of a certificate matters to somebody whom it keeps out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    pub subject: String,
    pub issuer: String,
    /// Alternative names: DNS names and addresses.
    pub names: Vec<String>,
    pub not_before: SystemTime,
    pub not_after: SystemTime,
}

/// Keepalive of one side's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Between two probes.
    pub interval: Duration,
    /// Unanswered probes before the connection is given up.
    pub count: u32,
}

impl Keepalive {
    /// When a peer that vanished from an idle connection is noticed.
    pub fn notices_after(&self) -> Duration {
        self.idle + self.interval * self.count
    }
}

/// What the server said, question by question.
pub(super) struct Answers {
    /// Who answers. Where this failed nothing else was asked.
    pub identity: Answer<Identity>,
    /// What `SHOW VERSION` gave where `identity` failed: PgBouncer's console answers that.
    pub console: Option<String>,
    pub settings: Answer<BTreeMap<String, Setting>>,
    pub sessions: Answer<Sessions>,
    pub slots: Answer<Slots>,
}

/// An answer, or why there is none.
pub(super) type Answer<T> = Result<T, Failure>;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Identity {
    pub version: String,
    pub role: String,
    pub superuser: bool,
    /// Whether other sessions can be seen in full.
    pub sees_all: bool,
    pub standby: bool,
    pub up_s: f64,
    /// The client's end, as the server sees it; `None` over a socket file.
    pub client_addr: Option<IpAddr>,
    pub client_port: Option<u16>,
}

/// One row of `pg_settings`, as this session has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Setting {
    pub setting: String,
    pub unit: Option<String>,
    /// Where the value comes from: `default`, `configuration file`, `user`, …
    pub source: String,
}

impl Setting {
    pub fn number(&self) -> Option<i64> {
        self.setting.parse().ok()
    }

    /// A duration in the unit that `pg_settings` names.
    pub fn duration(&self) -> Option<Duration> {
        let value = u64::try_from(self.number()?).ok()?;
        Some(match self.unit.as_deref()? {
            "ms" => Duration::from_millis(value),
            "s" => Duration::from_secs(value),
            "min" => Duration::from_secs(value * 60),
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Sessions {
    /// Client sessions, ours included.
    pub clients: i64,
    /// Sessions whose kind this role may not see; nearly all are clients.
    pub unknown: i64,
    pub idle_in_transaction: i64,
    /// For how long the oldest of them has been idle.
    pub idle_in_transaction_s: Option<f64>,
    pub of_role: i64,
    pub of_database: i64,
    /// `CONNECTION LIMIT`; -1: none.
    pub role_limit: i64,
    pub database_limit: i64,
}

impl Sessions {
    pub fn used(&self) -> i64 {
        self.clients + self.unknown
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Slots {
    pub slots: Vec<Slot>,
}

/// One row of `pg_replication_slots`; what a version does not have is `None`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Slot {
    pub slot_name: String,
    pub slot_type: String,
    pub active: bool,
    /// `reserved`, `extended`, `unreserved`, `lost`.
    pub wal_status: Option<String>,
    /// Bytes of WAL that are kept for it.
    pub retained: Option<i64>,
    /// 16 and later.
    pub conflicting: Option<bool>,
    /// 17 and later.
    pub invalidation_reason: Option<String>,
    /// 17 and later.
    pub inactive_since: Option<String>,
}
