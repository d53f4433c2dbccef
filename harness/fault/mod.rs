//! What can be done to a client: a fault is a kind, an onset and a duration. Plain data; `nemesis` carries it out.

mod point;
mod toxic;

use std::fmt;
use std::time::Duration;

pub use point::{CutPoint, Point, Strike};
pub use toxic::{Scope, Share, Stream, Toxic, ToxicKind};

use serde::{Deserialize, Serialize};

use crate::time::micros;

/// How a Postgres server is told to stop.
///
/// *Source*: PostgreSQL manual, "Shutting Down the Server".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopMode {
    /// SIGTERM: no new sessions; waits for the existing ones to leave.
    Smart,
    /// SIGINT: sessions get FATAL 57P01, then a clean shutdown.
    Fast,
    /// SIGQUIT: sessions get a *notice* 57P01 (57P02 up to version 13); the next start runs crash recovery.
    Immediate,
}

impl StopMode {
    /// Every mode, by the word used in scenario files.
    pub const ALL: [(&str, StopMode); 3] =
        [("smart", StopMode::Smart), ("fast", StopMode::Fast), ("immediate", StopMode::Immediate)];
}

/// What is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// FIN on every open connection, idle ones too.
    Close,
    /// RST on every open connection, idle ones too.
    Reset,
    /// Peers accept and acknowledge bytes but answer nothing; on heal, what was held is delivered.
    ///
    /// *Source*: FACTS §4, "peer process SIGSTOPped".
    Stall,
    /// The server is stopped in the given mode, and started again on heal.
    Restart(StopMode),
    /// The server's first process is killed (SIGKILL), and the server started again on heal.
    Kill,
    /// Every process of the server is frozen (SIGSTOP) until heal; its kernel goes on acknowledging bytes.
    Freeze,
    /// `pg_terminate_backend` on every session of the client.
    TerminateSessions,
    /// The client's sessions are ended and every connection slot is taken by others: 53300 until heal.
    ExhaustConnections,
    /// The server no longer accepts the password that the client holds: 28P01 until heal.
    WrongPassword,
    /// A backend dies inside a large transaction; crash recovery is held until heal: 57P03 throughout.
    LongRecovery,
}

impl FaultKind {
    /// Every kind, by the word used in scenario files. `restart` takes its mode from a further key.
    pub const ALL: [(&str, FaultKind); 10] = [
        ("close", FaultKind::Close),
        ("reset", FaultKind::Reset),
        ("stall", FaultKind::Stall),
        ("restart", FaultKind::Restart(StopMode::Fast)),
        ("kill", FaultKind::Kill),
        ("freeze", FaultKind::Freeze),
        ("terminate-sessions", FaultKind::TerminateSessions),
        ("exhaust-connections", FaultKind::ExhaustConnections),
        ("wrong-password", FaultKind::WrongPassword),
        ("long-recovery", FaultKind::LongRecovery),
    ];

    /// Whether the fault is over as soon as it is done, so that there is nothing to heal.
    pub fn is_instant(self) -> bool {
        matches!(self, FaultKind::Close | FaultKind::Reset | FaultKind::TerminateSessions)
    }

    /// Whether the fault happens on the path to the server rather than in the server, so that any server will do.
    pub fn is_network(self) -> bool {
        matches!(self, FaultKind::Close | FaultKind::Reset | FaultKind::Stall)
    }

    /// Whether the server loses its memory, so that only what it had flushed to disk survives.
    pub fn crashes_server(self) -> bool {
        matches!(self, FaultKind::Restart(StopMode::Immediate) | FaultKind::Kill | FaultKind::LongRecovery)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = FaultKind::ALL
            .iter()
            .find(|(_, kind)| std::mem::discriminant(kind) == std::mem::discriminant(self))
            .map_or("?", |(word, _)| word);
        match self {
            FaultKind::Restart(mode) => {
                let mode = StopMode::ALL.iter().find(|(_, m)| m == mode).map_or("?", |(word, _)| word);
                write!(f, "{word} ({mode})")
            }
            _ => f.write_str(word),
        }
    }
}

/// One fault of a timeline.
///
/// *Units*: `at` counts from the first moment of steady state (from the start of the run where a fault precedes the
/// client); `lasts` is zero for instant faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub kind: FaultKind,
    /// When it is injected.
    #[serde(rename = "at_us", with = "micros")]
    pub at: Duration,
    /// How long from in force to heal.
    #[serde(rename = "for_us", with = "micros")]
    pub lasts: Duration,
}

/// Whether a client can be expected to come back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It passes: the client must come back by itself, within its budget.
    Transient,
    /// It stays until somebody repairs it: the client must say so quickly and plainly, without hammering the server,
    /// and work again once it is repaired.
    Persistent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_word() {
        let mut words: Vec<_> = FaultKind::ALL.iter().map(|(_, kind)| kind.to_string()).collect();
        assert!(!words.iter().any(|word| word.contains('?')), "{words:?}");
        words.sort();
        words.dedup();
        assert_eq!(words.len(), FaultKind::ALL.len());
        assert_eq!(FaultKind::Restart(StopMode::Immediate).to_string(), "restart (immediate)");
    }
}
