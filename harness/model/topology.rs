//! The topology of a scenario, if it is more than one plain server, and how the client reaches it. Plain data;
//! `environment` sets it up.

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
        /// None: the host name does not resolve.
        Unresolvable = "unresolvable",
    }
}

words! {
    /// Which servers a client with several addresses accepts.
    ///
    /// *Source*: PostgreSQL manual, libpq, `target_session_attrs`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum TargetSession {
        #[default]
        Any = "any",
        /// Only a server that accepts writes.
        ReadWrite = "read-write",
    }
}

words! {
    /// How the client uses TLS.
    ///
    /// *Source*: PostgreSQL manual, libpq, `sslmode`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum SslMode {
        #[default]
        Disable = "disable",
        /// The client requests TLS, and continues without it if the server refuses.
        Prefer = "prefer",
        /// The client requires TLS, and verifies the server's certificate and host name.
        VerifyFull = "verify-full",
    }
}

words! {
    /// The version of TLS that the server accepts.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum TlsVersion {
        V12 = "1.2",
        V13 = "1.3",
    }
}

words! {
    /// The part of the server's data that is on a small file system, which a fault can fill quickly.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum SmallDisk {
        /// The ledger's table and its indexes.
        Heap = "heap",
        /// The write-ahead log.
        Wal = "wal",
    }
}

/// TCP keepalive of the server's sockets: the idle time before the first probe, the interval between probes, and the
/// number of unanswered probes after which the connection is closed.
///
/// *Units*: whole seconds, like the socket options.
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

/// The topology of a scenario. The default is one server at one address, without TLS, with a password that does not
/// change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Whether the primary has a standby, for which every commit waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// The only TLS version that the server accepts; `None`: the server has no TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsVersion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_disk: Option<SmallDisk>,
    /// The server's TCP keepalive towards the client; `None`: the operating system's times, which are Postgres's
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<Keepalive>,
    /// The hosts behind the client's addresses, in the order of the addresses; never empty.
    #[serde(default = "primary_alone", skip_serializing_if = "is_primary_alone")]
    pub hosts: Vec<Host>,
    #[serde(default)]
    pub target_session: TargetSession,
    #[serde(default)]
    pub sslmode: SslMode,
    /// Whether the server requires a client certificate, and the client has one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_certificate: bool,
    /// Whether the client reads its password from a file, which may change during the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub password_file: bool,
    /// Whether the client gets one host name that resolves to all of its addresses.
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
