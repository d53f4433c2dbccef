//! Rules in force on a gateway, each with a tally of its effects.
//!
//! Idle connections are closed by the gateway on every plane: real devices that close them (nginx, Envoy, RDS Proxy)
//! terminate TCP and count bytes, so keepalive probes do not reach them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::types::Cut;
use crate::model::fault::{CutPoint, Scope, Toxic};

/// A rule in force on a gateway.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Number of the rule; later rules have higher ones.
    pub id: u64,
    /// Distinguishes the random draws of this rule from those of other rules.
    pub name: String,
    pub kind: RuleKind,
    /// Number of the newest connection when the rule came into force.
    pub newest: u64,
    pub tally: Tally,
}

/// The effect of a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RuleKind {
    Toxic(Toxic),
    CutPoint(CutPoint),
    /// The path drops its state of connections: see [`DropState`].
    DropState(DropState),
    /// A middlebox expires connections that have been idle for a while.
    Idle {
        after: Duration,
        then: Expiry,
    },
}

/// How the path drops the state of a connection. The client is not notified; it gets an RST for the next bytes it
/// sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropState {
    /// The server's side is gone at once (RST to the server): a half-open connection.
    ServerSide,
    /// Neither side is notified; the next side to send gets an RST, and then so does the other.
    Silently,
}

/// The action of a middlebox when the idle timeout expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Ends the connection on both sides.
    Cut(Cut),
    /// Drops its state silently; the next side to send gets an RST.
    DropState,
}

/// Counted effects of a rule.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Bytes delayed, held or lost.
    pub bytes: AtomicU64,
    /// Connections touched by a toxic, or strikes at a cut point.
    pub strikes: AtomicU64,
    /// Numbers of the connections counted in `strikes`: both links of one may be touched.
    touched: Mutex<BTreeSet<u64>>,
}

impl Tally {
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn strikes(&self) -> u64 {
        self.strikes.load(Ordering::Relaxed)
    }

    pub(super) fn count_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a connection as struck, at most once.
    pub(super) fn count_connection(&self, connection: u64) {
        // A poisoned lock still holds a valid set of numbers.
        if self.touched.lock().insert(connection) {
            self.strikes.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Rule {
    /// Whether the rule's scope covers a connection, by its number.
    pub(super) fn covers(&self, connection: u64) -> bool {
        let scope = match self.kind {
            RuleKind::Toxic(toxic) => toxic.scope,
            RuleKind::CutPoint(_) | RuleKind::Idle { .. } => Scope::Every,
            RuleKind::DropState(_) => Scope::Established,
        };
        match scope {
            Scope::Every => true,
            Scope::Established => connection <= self.newest,
            Scope::New => connection > self.newest,
        }
    }
}

/// All rules in force, in the order of installation.
pub(crate) type Rules = Arc<Vec<Arc<Rule>>>;
