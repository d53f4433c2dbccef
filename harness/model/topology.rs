//! What a scenario asks of the environment beyond one plain server, and how the client is to find it. Plain data;
//! `environment` carries it out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::micros;

/// What stands behind one of the addresses that the client is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Host {
    /// The server that is the primary when the run begins.
    Primary,
    /// Its standby.
    Standby,
    /// Nobody: an address at which no server is.
    Nobody,
    /// Nothing: the name does not resolve.
    Unresolvable,
}

impl Host {
    /// Every kind, by the word used in scenario files.
    pub const ALL: [(&str, Host); 4] = [
        ("primary", Host::Primary),
        ("standby", Host::Standby),
        ("nobody", Host::Nobody),
        ("unresolvable", Host::Unresolvable),
    ];
}

/// Which servers a client with several addresses may settle on.
///
/// *Source*: PostgreSQL manual, libpq, `target_session_attrs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetSession {
    #[default]
    Any,
    /// One that takes writes.
    ReadWrite,
}

impl TargetSession {
    /// Every choice, by libpq's own word.
    pub const ALL: [(&str, TargetSession); 2] = [("any", TargetSession::Any), ("read-write", TargetSession::ReadWrite)];
}

/// How the client is to use TLS.
///
/// *Source*: PostgreSQL manual, libpq, `sslmode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    #[default]
    Disable,
    /// It asks for TLS, and takes what it gets.
    Prefer,
    /// It verifies the server's certificate and name.
    VerifyFull,
}

impl SslMode {
    /// Every mode, by libpq's own word.
    pub const ALL: [(&str, SslMode); 3] =
        [("disable", SslMode::Disable), ("prefer", SslMode::Prefer), ("verify-full", SslMode::VerifyFull)];

    /// libpq's own word.
    pub fn word(self) -> &'static str {
        match self {
            SslMode::Disable => "disable",
            SslMode::Prefer => "prefer",
            SslMode::VerifyFull => "verify-full",
        }
    }
}

/// The versions of TLS that the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    #[serde(rename = "1.2")]
    V12,
    #[serde(rename = "1.3")]
    V13,
}

impl TlsVersion {
    /// Every version, by the word used in scenario files.
    pub const ALL: [(&str, TlsVersion); 2] = [("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];
}

/// What of the server is kept on a file system so small that it can be filled in a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmallDisk {
    /// The ledger's table and its indexes.
    Heap,
    /// The write-ahead log.
    Wal,
}

impl SmallDisk {
    /// Every choice, by the word used in scenario files.
    pub const ALL: [(&str, SmallDisk); 2] = [("heap", SmallDisk::Heap), ("wal", SmallDisk::Wal)];
}

/// When a server's host asks whether a silent client is still there, and after how many questions it gives up.
///
/// *Units*: whole seconds, as sockets have them.
///
/// *Source*: PostgreSQL manual, `tcp_keepalives_idle`, `tcp_keepalives_interval`, `tcp_keepalives_count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keepalive {
    #[serde(rename = "idle_us", with = "micros")]
    pub idle: Duration,
    #[serde(rename = "interval_us", with = "micros")]
    pub interval: Duration,
    pub count: u32,
}

/// The whole of it; the default is one server, found at one address, in plaintext, with a password that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Whether a standby follows the primary, with every commit waiting for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// The server speaks TLS, of this version alone; `None`: it speaks none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsVersion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_disk: Option<SmallDisk>,
    /// The server's keepalive towards the client; `None`: on, at the times of its system, as Postgres has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<Keepalive>,
    /// What the client's addresses lead to, in the order in which it is given them; never empty.
    #[serde(default = "primary_alone", skip_serializing_if = "is_primary_alone")]
    pub hosts: Vec<Host>,
    #[serde(default)]
    pub target_session: TargetSession,
    #[serde(default)]
    pub sslmode: SslMode,
    /// Whether the server asks for a client's certificate, and the client has one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_certificate: bool,
    /// Whether the client finds its password in a file, where it may change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub password_file: bool,
    /// Whether the client is given one name for all of its addresses.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_name: bool,
}

impl Default for Topology {
    fn default() -> Topology {
        Topology {
            standby: false,
            tls: None,
            small_disk: None,
            keepalive: None,
            hosts: primary_alone(),
            target_session: TargetSession::default(),
            sslmode: SslMode::default(),
            client_certificate: false,
            password_file: false,
            by_name: false,
        }
    }
}

impl Topology {
    /// Whether nothing is asked for.
    pub fn is_plain(&self) -> bool {
        *self == Topology::default()
    }
}

fn primary_alone() -> Vec<Host> {
    vec![Host::Primary]
}

fn is_primary_alone(hosts: &[Host]) -> bool {
    hosts == [Host::Primary]
}
