//! What has changed since an earlier run of the same questions: verdicts, and how long recovery takes.
//!
//! `model` is what is stored of it, `change` decides on one client in one scenario, `told` puts it in words.

mod change;
mod model;
mod text;

use std::time::Duration;

pub use model::{Change, ChangeKind, Comparison, Figures, Span, Times};
pub use text::{chance, markdown, median, span, text};

use super::cell::Cell;
use super::model::Report;

/// Later recovery than before that is no regression, unless somebody says otherwise: it is what differs between two machines
/// of one kind, and no user tells it from none.
pub const USUAL_TOLERANCE: Duration = Duration::from_millis(500);

/// How sure a difference must be. With a hundred scenarios, one in twenty would be five false alarms in each comparison.
const CONFIDENCE: f64 = 0.99;

/// Puts a report beside an earlier one, which was called `baseline`.
pub fn compare(now: &Report, baseline: &str, before: &Report, tolerance: Duration) -> Comparison {
    let earlier = before.cells();
    let find = |cells: &[Cell], wanted: &Cell| {
        cells.iter().position(|cell| (cell.client, cell.scenario) == (wanted.client, wanted.scenario))
    };
    let cells = now.cells();
    let mut changes: Vec<Change> = cells
        .iter()
        .map(|cell| change::since(find(&earlier, cell).map(|index| &earlier[index]), cell, tolerance))
        .collect();
    // A shard has only its own part of everything.
    if now.shards.is_none() {
        changes.extend(earlier.iter().filter(|cell| find(&cells, cell).is_none()).map(|cell| Change {
            client: cell.client.to_owned(),
            scenario: cell.scenario.to_owned(),
            kind: ChangeKind::Gone,
            what: "only the baseline has it".to_owned(),
            times: None,
        }));
    }
    Comparison {
        baseline: baseline.to_owned(),
        began: before.began.clone(),
        pgsquall: before.pgsquall.clone(),
        tolerance_us: tolerance.as_micros() as u64,
        confidence: CONFIDENCE,
        changes,
    }
}

impl Comparison {
    /// How many clients in scenarios are of this kind.
    pub fn count(&self, kind: ChangeKind) -> usize {
        self.changes.iter().filter(|change| change.kind == kind).count()
    }

    /// Whether anything is worse than it was.
    pub fn is_worse(&self) -> bool {
        self.count(ChangeKind::Worse) > 0
    }
}

#[cfg(all(test, feature = "report"))]
mod tests;
