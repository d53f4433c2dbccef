//! The table of changes since the baseline, worst first.

use super::super::baseline::{chance, median, span};
use super::super::comparison::{Change, ChangeKind, Comparison, Times};
use super::Placed;

/// The comparison of a report with its baseline, in words.
pub(super) struct Changes {
    pub baseline: String,
    pub began: String,
    pub pgsquall: String,
    /// The rule for *worse*.
    pub rule: String,
    /// All changes except unchanged cells.
    pub rows: Vec<Row>,
    /// Number of unchanged cells.
    pub same: usize,
}

/// One client in one scenario.
pub(super) struct Row {
    pub word: &'static str,
    pub class: &'static str,
    pub scenario: String,
    pub client: String,
    /// Anchor of its section; empty if it has none.
    pub anchor: String,
    pub what: String,
    pub figures: Option<TimesInWords>,
}

/// The recovery times of a cell in words.
pub(super) struct TimesInWords {
    pub before: String,
    pub now: String,
    pub shift: String,
    pub interval: String,
    pub superiority: String,
    pub p: String,
}

impl Changes {
    pub fn new(comparison: &Comparison, cells: &[Placed]) -> Changes {
        Changes {
            baseline: comparison.baseline.clone(),
            began: comparison.began.clone(),
            pgsquall: comparison.pgsquall.clone(),
            rule: comparison.rule(),
            same: comparison.count(ChangeKind::Same),
            rows: comparison.listed().map(|change| row(change, cells)).collect(),
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
        figures: change.times.as_ref().map(times_in_words),
    }
}

/// The CSS class of a kind's word.
fn class(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Worse => "fail",
        ChangeKind::Better => "pass",
        ChangeKind::New | ChangeKind::Gone | ChangeKind::NotComparable | ChangeKind::Same => "none",
    }
}

/// The details; short if the other columns show the times.
fn what(change: &Change) -> String {
    match (change.kind, &change.times) {
        (ChangeKind::Worse, Some(_)) => "recovers later".to_owned(),
        (ChangeKind::Better, Some(_)) => "recovers sooner".to_owned(),
        _ => change.what.clone(),
    }
}

fn times_in_words(times: &Times) -> TimesInWords {
    TimesInWords {
        before: median(&times.before),
        now: median(&times.now),
        shift: span(times.shift),
        interval: span(times.interval),
        superiority: format!("{:.2}", times.superiority),
        p: chance(times.p),
    }
}
