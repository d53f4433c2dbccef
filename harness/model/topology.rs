//! The topology of a scenario beyond one plain server, and how the client finds it. Plain data;
//! `environment` carries it out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::micros;
use crate::model::words;

words! {
    /// The host behind one of the client's addresses.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Host {
        /// The server that is the primary when the run begins.
        Primary = "primary",
        /// Its standby.
        Standby = "standby",
        /// An address without a server.
        Nobody = "nobody",
        /// Nothing: the name does not resolve.
        Unresolvable = "unresolvable",
    }
}

words! {
    /// Which servers a client with several addresses may settle on.
    ///
    /// *Source*: PostgreSQL manual, libpq, `target_session_attrs`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum TargetSession {
        #[default]
        Any = "any",
        /// One that takes writes.
        ReadWrite = "read-write",
    }
}

words! {
    /// How the client is to use TLS.
    ///
    /// *Source*: PostgreSQL manual, libpq, `sslmode`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum SslMode {
        #[default]
        Disable = "disable",
        /// It asks for TLS, and takes what it gets.
        Prefer = "prefer",
        /// It verifies the server's certificate and name.
        VerifyFull = "verify-full",
    }
}

words! {
    /// The versions of TLS that the server speaks.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum TlsVersion {
        V12 = "1.2",
        V13 = "1.3",
    }
}

words! {
    /// The part of the server on a file system so small that it can be filled in a moment.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum SmallDisk {
        /// The ledger's table and its indexes.
        Heap = "heap",
        /// The write-ahead log.
        Wal = "wal",
    }
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
    /// The hosts behind the client's addresses, in their order; never empty.
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
    /// Whether this is one plain server.
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
