//! Cut points: points in the Postgres protocol at which a connection can be cut or held, or a message dropped. Plain
//! data; `gateway/framing` detects them.

use crate::model::words;
use serde::{Deserialize, Serialize};

words! {
    /// A point in the message flow of a Postgres connection.
    ///
    /// *Source*: PostgreSQL manual, "Frontend/Backend Protocol", "Message Flow".
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Point {
        /// An SSLRequest or GSSENCRequest has arrived and has not been forwarded.
        EncryptionRequest = "encryption-request",
        /// The startup packet has arrived and has not been forwarded.
        Startup = "startup",
        /// The startup packet has been forwarded; the server has not answered.
        StartupForwarded = "startup-forwarded",
        /// The server's authentication request has arrived and has not been forwarded.
        Authentication = "authentication",
        /// The first byte of a request (Query, Parse, Bind, Execute …) has arrived and has not been forwarded.
        Request = "request",
        /// A complete Query has been forwarded.
        QueryForwarded = "query-forwarded",
        /// A complete Parse has been forwarded.
        ParseForwarded = "parse-forwarded",
        /// A complete Bind has been forwarded.
        BindForwarded = "bind-forwarded",
        /// A complete Execute has been forwarded.
        ExecuteForwarded = "execute-forwarded",
        /// The server's answer to a request has begun to arrive; none of it has been forwarded.
        FirstReply = "first-reply",
        /// Half of a DataRow has been delivered.
        DataRow = "data-row",
        /// A CommandComplete has been delivered; its ReadyForQuery has not.
        CommandComplete = "command-complete",
        /// The CommandComplete of a COMMIT has arrived and has not been forwarded.
        CommitReply = "commit-reply",
        /// A ReadyForQuery with the status "in a transaction" has been delivered.
        InTransaction = "in-transaction",
    }
}

impl Point {
    /// Whether no part of the message has been forwarded at this point, so that the gateway can drop it.
    pub fn holds_message(self) -> bool {
        use Point::*;
        matches!(self, EncryptionRequest | Startup | Authentication | Request | FirstReply | CommitReply)
    }
}

words! {
    /// The action at a cut point.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Strike {
        /// RST to both sides.
        Reset = "reset",
        /// FIN to both sides.
        Close = "close",
        /// Bytes in this direction are held until heal, and then delivered.
        Hold = "hold",
        /// The message is dropped; all others are forwarded. Only at points where [`Point::holds_message`] is true.
        Drop = "drop",
    }
}

/// A cut point: a point in the protocol, and the action when a connection reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutPoint {
    pub point: Point,
    pub strike: Strike,
    /// The maximum number of strikes over all connections; `None`: unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}
