//! Cut points: moments of the protocol at which a connection can be struck. Plain data; `network/proxy` finds them.

use serde::{Deserialize, Serialize};

/// A moment in the life of a Postgres connection.
///
/// *Source*: PostgreSQL manual, "Frontend/Backend Protocol", "Message Flow".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// An SSLRequest or GSSENCRequest has come; the server has not seen it.
    EncryptionRequest,
    /// The startup packet has come; the server has not seen it.
    Startup,
    /// The server has been given the startup packet, and has answered nothing yet.
    StartupForwarded,
    /// The server asks for authentication; the client has not seen it.
    Authentication,
    /// The first byte of a request has come (Query, Parse, Bind, Execute …); the server has not seen it.
    Request,
    /// A Query has been forwarded whole.
    QueryForwarded,
    /// A Parse has been forwarded whole.
    ParseForwarded,
    /// A Bind has been forwarded whole.
    BindForwarded,
    /// An Execute has been forwarded whole.
    ExecuteForwarded,
    /// The server begins to answer a request; the client has seen none of it.
    FirstReply,
    /// Half of a DataRow has been delivered.
    DataRow,
    /// A CommandComplete has been delivered, its ReadyForQuery has not.
    CommandComplete,
    /// The server has executed a COMMIT, as its CommandComplete says; the client has not seen that.
    CommitReply,
    /// A ReadyForQuery has been delivered that says "in a transaction".
    InTransaction,
}

impl Point {
    /// Every point, by the word used in scenario files and by the proxy's API.
    pub const ALL: [(&str, Point); 14] = [
        ("encryption-request", Point::EncryptionRequest),
        ("startup", Point::Startup),
        ("startup-forwarded", Point::StartupForwarded),
        ("authentication", Point::Authentication),
        ("request", Point::Request),
        ("query-forwarded", Point::QueryForwarded),
        ("parse-forwarded", Point::ParseForwarded),
        ("bind-forwarded", Point::BindForwarded),
        ("execute-forwarded", Point::ExecuteForwarded),
        ("first-reply", Point::FirstReply),
        ("data-row", Point::DataRow),
        ("command-complete", Point::CommandComplete),
        ("commit-reply", Point::CommitReply),
        ("in-transaction", Point::InTransaction),
    ];
}

impl Point {
    /// Whether a whole message is still in the gateway's hands there, so that it can be dropped.
    pub fn holds_message(self) -> bool {
        use Point::*;
        matches!(self, EncryptionRequest | Startup | Authentication | Request | FirstReply | CommitReply)
    }
}

/// What is done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strike {
    /// RST to both sides.
    Reset,
    /// FIN to both sides.
    Close,
    /// This direction goes no further until heal; then it does, with all that was held.
    Hold,
    /// The message is swallowed, and all else passes. Only at points where none of it has been passed on yet.
    Drop,
}

impl Strike {
    /// Every strike, by its word.
    pub const ALL: [(&str, Strike); 4] =
        [("reset", Strike::Reset), ("close", Strike::Close), ("hold", Strike::Hold), ("drop", Strike::Drop)];
}

/// A cut point: what is done when a connection comes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutPoint {
    pub point: Point,
    pub strike: Strike,
    /// How many times in all, over every connection; `None`: each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}
