//! Timeouts by which the server itself ends what clients leave lying. Plain data; `nemesis/expiry` carries them out.

use serde::{Deserialize, Serialize};

/// A timeout of the server's own.
///
/// *Source*: PostgreSQL manual, "Client Connection Defaults".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerTimeout {
    /// FATAL 57P05, unsolicited; from version 14 on.
    IdleSession,
    /// FATAL 25P03, unsolicited.
    IdleInTransaction,
    /// ERROR 57014; the session lives.
    Statement,
}

impl ServerTimeout {
    /// Every timeout, by the word used in scenario files.
    pub const ALL: [(&str, ServerTimeout); 3] = [
        ("idle-session-timeout", ServerTimeout::IdleSession),
        ("idle-in-transaction-timeout", ServerTimeout::IdleInTransaction),
        ("statement-timeout", ServerTimeout::Statement),
    ];

    /// The name of the setting.
    pub fn setting(self) -> &'static str {
        match self {
            ServerTimeout::IdleSession => "idle_session_timeout",
            ServerTimeout::IdleInTransaction => "idle_in_transaction_session_timeout",
            ServerTimeout::Statement => "statement_timeout",
        }
    }

    /// The code by which it shows.
    pub fn sqlstate(self) -> &'static str {
        match self {
            ServerTimeout::IdleSession => "57P05",
            ServerTimeout::IdleInTransaction => "25P03",
            ServerTimeout::Statement => "57014",
        }
    }
}
