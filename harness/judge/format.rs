//! Formatting for findings and doubts: a few operation ids, and counts of errors.

use std::collections::BTreeMap;

use crate::model::history::{Op, OpError};

/// Operations that a finding lists by id.
pub(super) const NAMED: usize = 5;

/// The ids of the first [`NAMED`] operations.
pub(super) fn name<'a>(ops: impl IntoIterator<Item = &'a Op>) -> Vec<u64> {
    ops.into_iter().take(NAMED).map(|op| op.id).collect()
}

/// The errors of operations, counted by SQLSTATE or kind.
pub(super) fn tally<'a>(ops: impl IntoIterator<Item = &'a Op>) -> String {
    let mut counts = BTreeMap::<String, u64>::new();
    for op in ops {
        let label = op.error.as_ref().map_or_else(|| "no error given".to_owned(), OpError::label);
        *counts.entry(label).or_default() += op.count;
    }
    by_frequency(&counts)
}

/// Formats counts, most frequent first: `57P03 × 40, refused × 3`.
pub(crate) fn by_frequency(counts: &BTreeMap<String, u64>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    counts.iter().map(|(label, count)| format!("{label} × {count}")).collect::<Vec<_>>().join(", ")
}
