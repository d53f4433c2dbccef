//! The gathered facts, as plain data: the only input of judging.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::target::{ClientSettings, TlsSettings};

/// The facts of one examination. Facts of stages after a failed one are `None` or empty.
pub(super) struct Facts {
    /// The URL's host name, or else its address.
    pub host: String,
    /// The URL without secrets.
    pub redacted: String,
    pub client_settings: ClientSettings,
    pub tls: TlsSettings,
    /// URL parameters that the doctor ignores.
    pub unused: Vec<String>,
    /// This machine's keepalive defaults; `None` if they cannot be read.
    pub system: Option<Keepalive>,
    pub client_certificate: Option<Result<Certificate, String>>,
    /// `None` if the URL has an address, which needs no lookup.
    pub lookup: Option<Timed<Result<Vec<IpAddr>, String>>>,
    pub dials: Vec<(SocketAddr, Timed<Result<(), Failure>>)>,
    /// One entry, or two if preferred TLS failed and the connection was repeated without it.
    pub negotiations: Vec<Timed<Result<Negotiated, Failure>>>,
    pub sign_in: Option<Timed<Result<(), Failure>>>,
    pub server_facts: Option<ServerFacts>,
    /// The local address of the connection.
    pub local: Option<SocketAddr>,
}

/// A result, and the time that it took.
pub(super) struct Timed<T> {
    pub took: Duration,
    pub result: T,
}

/// Why a stage failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub kind: FailureKind,
    /// The message of the system, the server or the library.
    pub text: String,
}

/// The kind of a failure, which selects the advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// No reply within the stage's time limit.
    NoReply,
    /// ECONNREFUSED.
    Refused,
    /// No route: EHOSTUNREACH, ENETUNREACH.
    Unreachable,
    /// The connection was closed or reset without an error message.
    Closed,
    /// The server sent an error with this SQLSTATE.
    ServerError(String),
    /// The reply is not in Postgres's protocol.
    NotPostgres,
    /// TLS is required, and the server has none.
    NoTls,
    /// The server requires a password, and none is given.
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
    /// `sslmode=disable`: TLS was not requested.
    NotRequested,
    /// TLS was requested, and the server has none.
    NotOffered,
    TlsSession(TlsSession),
}

pub(super) struct TlsSession {
    /// `TLS 1.3`.
    pub version: &'static str,
    /// The server's own certificate first.
    pub chain: Vec<Result<Certificate, String>>,
    pub trust: Trust,
}

/// The result of verifying the certificate as `sslmode` requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// `sslmode` requires no verification.
    NotRequested,
    /// Verified with these authorities, in words.
    Verified(String),
    /// Each reason is a sentence.
    Refused(Vec<String>),
}

/// The fields of a certificate that explain a refusal.
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
    /// Idle time before the first probe.
    pub idle: Duration,
    /// Time between two probes.
    pub interval: Duration,
    /// Number of unanswered probes after which the kernel ends the connection.
    pub count: u32,
}

impl Keepalive {
    /// The time after which a vanished peer of an idle connection is detected.
    pub fn notices_after(&self) -> Duration {
        self.idle + self.interval * self.count
    }
}

/// The results of the queries.
pub(super) struct ServerFacts {
    /// The server's identity. If this query fails, no other is sent.
    pub identity: Answer<Identity>,
    /// The result of `SHOW VERSION` if `identity` failed: PgBouncer's console answers it.
    pub console: Option<String>,
    pub settings: Answer<BTreeMap<String, Setting>>,
    pub sessions: Answer<Sessions>,
    pub slots: Answer<Slots>,
}

/// A query's result, or why it failed.
pub(super) type Answer<T> = Result<T, Failure>;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Identity {
    pub version: String,
    pub role: String,
    pub superuser: bool,
    /// Whether the role may see all details of other roles' sessions.
    pub sees_all: bool,
    pub standby: bool,
    /// Seconds since the server started.
    pub up_s: f64,
    /// The client's address as the server sees it; `None` over a socket file.
    pub client_addr: Option<IpAddr>,
    pub client_port: Option<u16>,
}

/// One row of `pg_settings`, with the value in this session.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Setting {
    pub setting: String,
    pub unit: Option<String>,
    /// The origin of the value: `default`, `configuration file`, `user`, …
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
    /// Client sessions, including the doctor's.
    pub clients: i64,
    /// Sessions whose type this role may not see; nearly all are clients.
    pub unknown: i64,
    pub idle_in_transaction: i64,
    /// The longest idle time of these, in seconds.
    pub idle_in_transaction_s: Option<f64>,
    pub of_role: i64,
    pub of_database: i64,
    /// `CONNECTION LIMIT`; -1 means no limit.
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

/// One row of `pg_replication_slots`; columns missing in a version are `None`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Slot {
    pub slot_name: String,
    pub slot_type: String,
    pub active: bool,
    /// `reserved`, `extended`, `unreserved`, `lost`.
    pub wal_status: Option<String>,
    /// Bytes of WAL kept for the slot.
    pub retained: Option<i64>,
    /// 16 and later.
    pub conflicting: Option<bool>,
    /// 17 and later.
    pub invalidation_reason: Option<String>,
    /// 17 and later.
    pub inactive_since: Option<String>,
}
