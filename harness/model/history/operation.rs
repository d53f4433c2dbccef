//! One operation, of the workload or observed at the gateway, and its outcome.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::{micros, optional_micros};
use crate::model::{display_words, words};

words! {
    /// The kind of an operation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
    pub enum OpKind {
        /// Insert a key into the ledger; success acknowledges that the key is stored durably.
        Write = "write",
        /// Read back a key whose write was acknowledged to the same worker.
        Read = "read",
        /// Several statements and a COMMIT; the last of them inserts the key.
        Transaction = "transaction",
    }
}

display_words!(OpKind);

impl OpKind {
    /// Whether success promises that the key is in the ledger.
    pub fn writes(self) -> bool {
        self != OpKind::Read
    }
}

/// An operation of an application, as the gateway observes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ObservedOp {
    /// From a request until the server is ready again.
    Statement,
    /// A sign-in that failed. A successful one is not recorded, because statements follow it.
    SignIn,
}

/// The kind of a recorded operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum RecordedOp {
    /// Requested by the workload.
    Asked(OpKind),
    /// Observed by the gateway, not requested by the workload.
    Seen(ObservedOp),
}

impl RecordedOp {
    /// Whether success promises that the key is in the ledger.
    pub fn writes(self) -> bool {
        matches!(self, RecordedOp::Asked(kind) if kind.writes())
    }
}

impl From<OpKind> for RecordedOp {
    fn from(kind: OpKind) -> RecordedOp {
        RecordedOp::Asked(kind)
    }
}

impl fmt::Display for RecordedOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordedOp::Asked(kind) => kind.fmt(f),
            RecordedOp::Seen(ObservedOp::Statement) => f.write_str("statement"),
            RecordedOp::Seen(ObservedOp::SignIn) => f.write_str("sign-in"),
        }
    }
}

/// How an operation ended, as far as the client can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// Indeterminate: it may have happened.
    Info,
}

words! {
    /// The kind of an error without a SQLSTATE.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub enum ErrorKind {
        /// ECONNREFUSED.
        Refused = "refused",
        /// ECONNRESET, ECONNABORTED or EPIPE.
        Reset = "reset",
        /// The peer closed the connection (FIN) before the answer.
        Closed = "closed",
        /// A timeout of the client expired.
        Timeout = "timeout",
        /// The application's own deadline expired.
        Deadline = "deadline",
        /// The server reported it; see the SQLSTATE.
        Server = "server",
        /// Anything else; see the message.
        Other = "other",
    }
}

display_words!(ErrorKind);

/// An error as a client reports it.
///
/// Any error converts into it with `?`: the chain of sources is searched for a SQLSTATE and for an I/O error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpError {
    /// The message of the client's library.
    pub message: String,
    pub kind: ErrorKind,
    /// The five characters of the code, if the server sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// Whether the client reports the error as retryable; `None` if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

impl OpError {
    /// An error of the given kind, without a SQLSTATE and without a retryable flag.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> OpError {
        OpError { message: message.into(), kind, sqlstate: None, retryable: None }
    }

    /// This error with the server's SQLSTATE.
    pub fn with_sqlstate(mut self, code: impl Into<String>) -> OpError {
        self.sqlstate = Some(code.into());
        self.kind = ErrorKind::Server;
        self
    }

    /// This error, marked as retryable or not.
    pub fn with_retryable(mut self, retryable: bool) -> OpError {
        self.retryable = Some(retryable);
        self
    }

    /// The short name under which such errors are counted: the SQLSTATE, else the kind.
    pub fn label(&self) -> String {
        self.sqlstate.clone().unwrap_or_else(|| self.kind.to_string())
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.label(), self.message)
    }
}

/// One operation, as recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// Unique in the run, counted from 1.
    pub id: u64,
    /// Counted from 0.
    pub worker: u32,
    pub kind: RecordedOp,
    /// The ledger key: for a write, a new one; for a read, one whose write was acknowledged to this worker; 0 for an
    /// operation observed by the gateway.
    pub key: i64,
    /// The intended start on the workload's grid. Latency counts from here, so that it includes the delay by a stalled
    /// client.
    #[serde(rename = "intended_us", with = "micros")]
    pub intended: Duration,
    /// When the request was passed to the client.
    #[serde(rename = "began_us", with = "micros")]
    pub began: Duration,
    /// When the client answered; `None` if it had not when the workload ended.
    #[serde(rename = "ended_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub ended: Option<Duration>,
    pub outcome: Outcome,
    /// For a read that succeeded: whether the key was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<OpError>,
    /// The number of statements that it represents. An application may send thousands a second: those with the same
    /// outcome within some milliseconds are recorded as one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
}

fn one() -> u64 {
    1
}

// serde passes the field by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(count: &u64) -> bool {
    *count == 1
}

impl Op {
    /// The time from the intended start to the answer; `None` if there was no answer.
    pub fn latency(&self) -> Option<Duration> {
        self.ended.map(|ended| ended.saturating_sub(self.intended))
    }
}
