//! Cut points: moments of the protocol at which a connection can be struck. Plain data; `network/proxy` finds them.

use crate::model::words;
use serde::{Deserialize, Serialize};

words! {
    /// A moment in the life of a Postgres connection.
    ///
    /// *Source*: PostgreSQL manual, "Frontend/Backend Protocol", "Message Flow".
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Point {
        /// An SSLRequest or GSSENCRequest has come; the server has not seen it.
        EncryptionRequest = "encryption-request",
        /// The startup packet has come; the server has not seen it.
        Startup = "startup",
        /// The server has been given the startup packet, and has answered nothing yet.
        StartupForwarded = "startup-forwarded",
        /// The server asks for authentication; the client has not seen it.
        Authentication = "authentication",
        /// The first byte of a request has come (Query, Parse, Bind, Execute …); the server has not seen it.
        Request = "request",
        /// A Query has been forwarded whole.
        QueryForwarded = "query-forwarded",
        /// A Parse has been forwarded whole.
        ParseForwarded = "parse-forwarded",
        /// A Bind has been forwarded whole.
        BindForwarded = "bind-forwarded",
        /// An Execute has been forwarded whole.
        ExecuteForwarded = "execute-forwarded",
        /// The server begins to answer a request; the client has seen none of it.
        FirstReply = "first-reply",
        /// Half of a DataRow has been delivered.
        DataRow = "data-row",
        /// A CommandComplete has been delivered, its ReadyForQuery has not.
        CommandComplete = "command-complete",
        /// The server has executed a COMMIT, as its CommandComplete says; the client has not seen that.
        CommitReply = "commit-reply",
        /// A ReadyForQuery has been delivered that says "in a transaction".
        InTransaction = "in-transaction",
    }
}

impl Point {
    /// Whether a whole message is still in the gateway's hands there, so that it can be dropped.
    pub fn holds_message(self) -> bool {
        use Point::*;
        matches!(self, EncryptionRequest | Startup | Authentication | Request | FirstReply | CommitReply)
    }
}

words! {
    /// The strike at a cut point.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Strike {
        /// RST to both sides.
        Reset = "reset",
        /// FIN to both sides.
        Close = "close",
        /// This direction goes no further until heal; then it does, with all that was held.
        Hold = "hold",
        /// The message is swallowed, and all else passes. Only at points where none of it has been passed on yet.
        Drop = "drop",
    }
}

/// A cut point: a moment of the protocol, and the strike when a connection reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutPoint {
    pub point: Point,
    pub strike: Strike,
    /// How many times in all, over every connection; `None`: each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}
