//! Rules in force on a gateway, each with a tally of its effects.
//!
//! The gateway closes idle connections on every plane: the real devices that close them (nginx, Envoy, RDS Proxy)
//! terminate TCP and count bytes of data, so keepalive probes do not restart their idle time.

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
    /// Number of this gateway's newest connection when the rule was made; decides [`Rule::covers`].
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

/// How the path drops the state of a connection. The client is not notified: it gets an RST only once a peer that is
/// still connected sends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropState {
    /// The server's side is reset at once: the connection is half-open.
    ServerSide,
    /// Neither side is notified; as soon as one sends, both get an RST.
    Silently,
}

/// The action of a middlebox when the idle timeout expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Ends the connection on both sides.
    Cut(Cut),
    /// Drops the connection's state as [`DropState::Silently`] does.
    DropState,
}

/// Counted effects of a rule.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Bytes delayed, held or lost.
    pub bytes: AtomicU64,
    /// Connections touched by a toxic or ended by lost state or an idle timeout, or strikes at a cut point.
    pub strikes: AtomicU64,
    /// Numbers of the connections that a toxic has touched: both links of one are counted once.
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

    /// Counts a connection as touched by a toxic, at most once.
    pub(super) fn count_connection(&self, connection: u64) {
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

/// All rules in force, in the order of installation; a replaced rule passes its place on to the new one.
pub(crate) type Rules = Arc<Vec<Arc<Rule>>>;
