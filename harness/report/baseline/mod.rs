//! Comparison of a report with an earlier one (the baseline): verdicts and recovery times.
//!
//! `change` compares one client in one scenario, `text` formats the result; the stored data is
//! [`Comparison`].
//!
//! Only failures that the baseline has too are no regression. *Worse* is: a failure of a scenario that passed,
//! however rare; another failed check; failures more frequent than chance explains (Fisher's exact test); recovery
//! later by more than the tolerance with the whole 99 % interval of the Hodges–Lehmann shift. Runs with another
//! plane, device, budget or supervision are not compared: any failure among them is worse.

mod change;
mod text;

use std::time::Duration;

pub use text::{chance, markdown, median, span, text};

use super::cell::Cell;
use super::comparison::{Change, ChangeKind, Comparison};
use super::model::Report;

/// Default tolerance: a recovery later by no more than this is no regression. Two machines of the same kind differ by
/// this much, and users do not notice it.
pub const USUAL_TOLERANCE: Duration = Duration::from_millis(500);

/// Confidence of every decision. At 95 %, a hundred scenarios would give five false alarms in each comparison.
const CONFIDENCE: f64 = 0.99;

/// Compares a report with the earlier report `before`; `baseline` is the file name that the user gave.
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
    // A shard holds only its own part of the matrix, so the others are not missing.
    if now.shards.is_none() {
        changes.extend(earlier.iter().filter(|cell| find(&cells, cell).is_none()).map(|cell| Change {
            client: cell.client.to_owned(),
            scenario: cell.scenario.to_owned(),
            kind: ChangeKind::Gone,
            what: "only in the baseline".to_owned(),
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

#[cfg(all(test, feature = "report"))]
mod tests;
