//! What has changed since the baseline, worse ones first.

use super::super::baseline::{Change, ChangeKind, Comparison, Times, chance, median, span};
use super::Placed;

/// A report beside its baseline, as it is told.
pub(super) struct Changes {
    pub baseline: String,
    pub began: String,
    pub pgsquall: String,
    /// By which it was decided.
    pub rule: String,
    /// Those that changed, or are not in both.
    pub rows: Vec<Row>,
    /// How many cannot be shown to have changed.
    pub same: usize,
}

/// One client in one scenario.
pub(super) struct Row {
    pub word: &'static str,
    pub class: &'static str,
    pub scenario: String,
    pub client: String,
    /// The place of its section; empty where it has none.
    pub anchor: String,
    pub what: String,
    pub figures: Option<Told>,
}

/// Its times, in words.
pub(super) struct Told {
    pub before: String,
    pub now: String,
    pub shift: String,
    pub interval: String,
    pub superiority: String,
    pub p: String,
}

impl Changes {
    pub fn of(comparison: &Comparison, cells: &[Placed]) -> Changes {
        Changes {
            baseline: comparison.baseline.clone(),
            began: comparison.began.clone(),
            pgsquall: comparison.pgsquall.clone(),
            rule: comparison.rule(),
            same: comparison.count(ChangeKind::Same),
            rows: comparison.told().map(|change| row(change, cells)).collect(),
        }
    }
}

fn row(change: &Change, cells: &[Placed]) -> Row {
    let is_same = |placed: &&Placed| placed.cell.client == change.client && placed.cell.scenario == change.scenario;
    let place = cells.iter().find(is_same).filter(|placed| placed.cell.worst().is_some());
    Row {
        word: change.kind.word(),
        class: class(change.kind),
        scenario: change.scenario.clone(),
        client: change.client.clone(),
        anchor: place.map(|placed| placed.anchor.clone()).unwrap_or_default(),
        what: what(change),
        figures: change.times.as_ref().map(told),
    }
}

/// The class of its word.
fn class(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Worse => "fail",
        ChangeKind::Better => "pass",
        ChangeKind::New | ChangeKind::Gone | ChangeKind::NotComparable | ChangeKind::Same => "none",
    }
}

/// What the columns beside it do not say better.
fn what(change: &Change) -> String {
    match (change.kind, &change.times) {
        (ChangeKind::Worse, Some(_)) => "recovers later".to_owned(),
        (ChangeKind::Better, Some(_)) => "recovers sooner".to_owned(),
        _ => change.what.clone(),
    }
}

fn told(times: &Times) -> Told {
    Told {
        before: median(&times.before),
        now: median(&times.now),
        shift: span(times.shift),
        interval: span(times.interval),
        superiority: format!("{:.2}", times.superiority),
        p: chance(times.p),
    }
}
