//! Rules: what is in force on a gateway, each with the count of what it has done.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::types::Cut;
use crate::model::fault::{CutPoint, Scope, Toxic};

/// One thing in force.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its number; later rules have higher ones.
    pub id: u64,
    /// Distinguishes its draws of chance from those of other rules.
    pub name: String,
    pub what: RuleKind,
    /// The newest connection when it came into force.
    pub newest: u64,
    pub tally: Tally,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RuleKind {
    Toxic(Toxic),
    CutPoint(CutPoint),
    /// Connections are forgotten: see [`DropState`].
    DropState(DropState),
    /// A middlebox forgets connections on which nothing has moved for a while.
    Idle {
        after: Duration,
        then: Expiry,
    },
}

/// How the path forgets a connection without a word to the client, who gets an RST for the next bytes it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropState {
    /// The server's side is gone at once (RST to the server): a half-open connection.
    ServerSide,
    /// Neither side is told; whoever sends next gets an RST, and then so does the other.
    Silently,
}

/// What a middlebox does when its idle time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It tells both sides.
    Cut(Cut),
    /// It tells nobody; whoever sends next gets an RST.
    DropState,
}

/// What a rule has done so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Bytes delayed, held or lost.
    pub bytes: AtomicU64,
    /// Connections struck, or points at which one was.
    pub strikes: AtomicU64,
    /// Connections counted among the strikes, by their numbers: both links of one may be touched.
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

    /// Counts a connection as struck, once.
    pub(super) fn count_connection(&self, connection: u64) {
        // A set of numbers cannot be left half changed.
        if self.touched.lock().unwrap_or_else(PoisonError::into_inner).insert(connection) {
            self.strikes.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Rule {
    /// Whether the rule may touch a connection, by its number.
    pub(super) fn covers(&self, connection: u64) -> bool {
        let scope = match self.what {
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

/// Everything in force, in the order in which it came.
pub(crate) type Rules = Arc<Vec<Arc<Rule>>>;
