//! Events of one connection through the gateway, as the tap reports them.

use serde::{Deserialize, Serialize};

use crate::model::fault::{Point, Strike};

/// A change of one connection through the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionChange {
    /// The client's connect was accepted.
    Opened,
    /// It asked for encryption (SSLRequest or GSSENCRequest).
    EncryptionRequested,
    /// From here on the gateway carries bytes that it cannot read.
    Opaque {
        /// In words: `TLS`, `not Postgres`.
        why: String,
    },
    /// The gateway was to terminate TLS, and a handshake failed.
    HandshakeFailed {
        /// `client` or `server`.
        with: String,
        why: String,
    },
    /// It is no session, but asks for another one's statement to be cancelled.
    CancelRequested,
    /// The startup packet came.
    Startup {
        /// `3.0` or `3.2`.
        protocol: String,
        user: Option<String>,
        database: Option<String>,
        replication: bool,
    },
    /// The server let it in.
    Authenticated,
    /// The server's process behind it.
    Backend { pid: u32 },
    /// The first statement came.
    FirstRequest,
    /// The server reported an error, or the notice with which it says goodbye in a crash.
    Error {
        /// `ERROR`, `FATAL`, `PANIC`; for a notice its own.
        severity: String,
        /// `None` for a server that could not even speak the protocol ("cannot fork").
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sqlstate: Option<String>,
        /// Only where there is no SQLSTATE.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A cut point was reached, and something done there.
    Struck { point: Point, strike: Strike },
    Ended {
        by: Severed,
        /// Bytes carried from client to server.
        upstream: u64,
        /// Bytes carried from server to client.
        downstream: u64,
    },
}

/// The side that ended a connection, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severed {
    /// Both sides finished in order, the client first.
    ByClient,
    /// Both sides finished in order, the server first.
    ByServer,
    ClientReset,
    ServerReset,
    /// A FIN to both sides, by the nemesis.
    Closed,
    /// An RST to both sides, by the nemesis.
    Reset,
    /// The path had lost its state: the side that sent next got an RST.
    Forgotten,
    /// The server could not be reached; the client got an RST.
    Unreachable,
    /// The run ended.
    Teardown,
}
