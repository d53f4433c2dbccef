//! Events of one connection through the gateway, as the tap reports them.

use serde::{Deserialize, Serialize};

use crate::model::fault::{Point, Strike};

/// A change of one connection through the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionChange {
    /// The client's connect was accepted.
    Opened,
    /// The client requested encryption (SSLRequest or GSSENCRequest).
    EncryptionRequested,
    /// From here on the gateway forwards bytes that it cannot parse.
    Opaque {
        /// The reason in words: `TLS`, `not Postgres`.
        why: String,
    },
    /// The gateway terminates TLS, and a handshake failed.
    HandshakeFailed {
        /// The peer of the handshake: `client` or `server`.
        with: String,
        why: String,
    },
    /// The connection is not a session: it is a CancelRequest for a statement of another session.
    CancelRequested,
    /// The startup packet arrived.
    Startup {
        /// `3.0` or `3.2`.
        protocol: String,
        user: Option<String>,
        database: Option<String>,
        replication: bool,
    },
    /// The server accepted the sign-in.
    Authenticated,
    /// The server process of the session.
    Backend { pid: u32 },
    /// The first statement arrived.
    FirstRequest,
    /// The server reported an error, or the notice that it sends when it ends sessions after a crash.
    Error {
        /// `ERROR`, `FATAL` or `PANIC`; for a notice, the severity of the notice.
        severity: String,
        /// `None` if the server sent a message without a code ("cannot fork").
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sqlstate: Option<String>,
        /// Only if there is no SQLSTATE.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The connection reached a cut point, and the action was carried out.
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
    /// Both sides closed the connection in an orderly way, the client first.
    ByClient,
    /// Both sides closed the connection in an orderly way, the server first.
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
