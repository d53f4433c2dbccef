//! Observes one connection: reports protocol events to the tap, and decides whether a rule strikes at a point.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::framing::{Note, Watch};
use super::rule::{RuleKind, Rules};
use super::tap::Tap;
use crate::model::fault::{Point, Strike};
use crate::model::history::ConnectionChange;

/// Protocol observer of one connection.
pub(super) struct ProtocolObserver {
    pub id: u64,
    tap: Arc<dyn Tap>,
    rules: Rules,
    /// One bit for each point that a rule strikes.
    armed: u32,
    /// Whether the tap wants every request.
    observes: bool,
}

impl ProtocolObserver {
    pub fn new(id: u64, tap: Arc<dyn Tap>) -> ProtocolObserver {
        let observes = tap.observes();
        ProtocolObserver { id, tap, rules: Rules::default(), armed: 0, observes }
    }

    /// Applies these rules from now on.
    pub fn adapt(&mut self, rules: Rules) {
        self.armed = rules.iter().filter(|rule| rule.covers(self.id)).fold(0, |armed, rule| match rule.kind {
            RuleKind::CutPoint(cut) => armed | bit(cut.point),
            _ => armed,
        });
        self.rules = rules;
    }

    /// Whether a rule, by its number, is still in force.
    pub fn is_in_force(&self, rule: u64) -> bool {
        self.rules.iter().any(|other| other.id == rule)
    }

    /// Reports to the tap that the gateway could not carry out a request.
    pub fn doubt(&self, reason: String) {
        self.tap.doubt(reason);
    }

    /// Reports a change to the tap.
    pub fn notify_tap(&self, change: ConnectionChange) {
        self.tap.connection(self.id, change);
    }
}

fn bit(point: Point) -> u32 {
    1 << point as u32
}

impl Watch for ProtocolObserver {
    fn awaits(&self, point: Point) -> bool {
        self.armed & bit(point) != 0
    }

    fn reach(&mut self, point: Point) -> Option<(Strike, u64)> {
        let struck = self.rules.iter().find_map(|rule| {
            let RuleKind::CutPoint(cut) = rule.kind else { return None };
            if cut.point != point || !rule.covers(self.id) {
                return None;
            }
            // Atomic, because connections on several threads share this limit.
            let most = cut.times.map_or(u64::MAX, u64::from);
            let count = |strikes| (strikes < most).then_some(strikes + 1);
            rule.tally.strikes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).ok()?;
            Some((cut.strike, rule.id))
        })?;
        self.notify_tap(ConnectionChange::Struck { point, strike: struck.0 });
        Some(struck)
    }

    fn observes(&self) -> bool {
        self.observes
    }

    fn note(&mut self, note: Note<'_>) {
        match note {
            Note::RequestStarted => return self.tap.request_started(self.id),
            Note::RequestFinished { idle } => return self.tap.request_finished(self.id, idle),
            _ => {}
        }
        if let Some(change) = change(note) {
            self.notify_tap(change);
        }
    }
}

/// Converts a note to the change that is recorded: nothing secret, and nothing that occurs with every statement.
fn change(note: Note<'_>) -> Option<ConnectionChange> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(['\0', '\n']).to_owned();
    Some(match note {
        Note::EncryptionRequested => ConnectionChange::EncryptionRequested,
        Note::Opaque(why) => ConnectionChange::Opaque { why: why.words().into() },
        Note::CancelRequested => ConnectionChange::CancelRequested,
        Note::Startup { major, minor, user, database, replication } => ConnectionChange::Startup {
            protocol: format!("{major}.{minor}"),
            user: user.map(str::to_owned),
            database: database.map(str::to_owned),
            replication,
        },
        Note::Authenticated => ConnectionChange::Authenticated,
        Note::BackendPid(pid) => ConnectionChange::Backend { pid },
        Note::FirstRequest => ConnectionChange::FirstRequest,
        Note::Ready(_) | Note::RequestStarted | Note::RequestFinished { .. } => return None,
        Note::Error { severity, sqlstate } | Note::Notice { severity, sqlstate } => {
            ConnectionChange::Error { severity: severity.word().into(), sqlstate: Some(text(&sqlstate)), message: None }
        }
        Note::AncientError { text: message } => {
            ConnectionChange::Error { severity: "FATAL".into(), sqlstate: None, message: Some(text(message)) }
        }
    })
}
