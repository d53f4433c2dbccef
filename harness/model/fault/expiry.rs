//! Timeouts by which the server ends idle sessions, idle transactions and long statements. Plain data; `nemesis/expiry`
//! sets them.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::keys::{KeyError, TIMEOUT, Values, need};
use super::spec::{ExpectedError as Error, FaultSpec, Remedy, Shape, fault_table};

/// A timeout that the server enforces.
///
/// *Source*: PostgreSQL manual, "Client Connection Defaults".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerTimeout {
    /// FATAL 57P05, unsolicited; from version 14 on.
    IdleSession,
    /// FATAL 25P03, unsolicited.
    IdleInTransaction,
    /// ERROR 57014; the session stays open.
    Statement,
}

fault_table! { TIMEOUTS:
    IDLE_SESSION = "idle-session-timeout" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, REPLACE, Error::None, Shape { keys: &[TIMEOUT], build: |values| timing_out(ServerTimeout::IdleSession, values) };
    IDLE_IN_TRANSACTION = "idle-in-transaction-timeout" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, REPLACE, Error::None, Shape { keys: &[TIMEOUT], build: |values| timing_out(ServerTimeout::IdleInTransaction, values) };
    STATEMENT = "statement-timeout" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, REPLACE, Error::None, Shape { keys: &[TIMEOUT], build: |values| timing_out(ServerTimeout::Statement, values) };
}

const REPLACE: Remedy = Remedy::Advice("replace a session that the server has ended, and start its transaction again");

fn timing_out(timeout: ServerTimeout, values: &Values) -> Result<FaultKind, KeyError> {
    Ok(FaultKind::ServerTimeout { timeout, after: need(&TIMEOUT, values.time(&TIMEOUT))? })
}

impl ServerTimeout {
    /// The row of this timeout.
    pub fn spec(self) -> &'static FaultSpec {
        match self {
            ServerTimeout::IdleSession => &IDLE_SESSION,
            ServerTimeout::IdleInTransaction => &IDLE_IN_TRANSACTION,
            ServerTimeout::Statement => &STATEMENT,
        }
    }

    /// The name of the setting.
    pub fn setting(self) -> &'static str {
        match self {
            ServerTimeout::IdleSession => "idle_session_timeout",
            ServerTimeout::IdleInTransaction => "idle_in_transaction_session_timeout",
            ServerTimeout::Statement => "statement_timeout",
        }
    }

    /// The SQLSTATE of the error when the timeout expires.
    pub fn sqlstate(self) -> &'static str {
        match self {
            ServerTimeout::IdleSession => "57P05",
            ServerTimeout::IdleInTransaction => "25P03",
            ServerTimeout::Statement => "57014",
        }
    }
}
