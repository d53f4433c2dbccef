//! *duplicated write*: nothing is there twice.

use std::collections::HashMap;

use super::facts::{Facts, NAMED};
use super::verdict::{CheckResult, Finding};
use crate::history::Op;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some(ledger) = facts.ledger else {
        return CheckResult::not_applicable("there was no audit");
    };
    let repeated: Vec<(i64, u64)> = ledger
        .iter()
        .filter(|(_, _, copies)| *copies > 1)
        .flat_map(|(first, last, copies)| (*first..=*last).map(|key| (key, *copies)))
        .collect();
    if repeated.is_empty() {
        return CheckResult::Pass;
    }
    let by_key: HashMap<i64, &Op> = facts.ops.iter().filter(|op| op.kind.writes()).map(|op| (op.key, *op)).collect();
    let named: Vec<(&Op, u64)> =
        repeated.iter().filter_map(|(key, copies)| by_key.get(key).map(|op| (*op, *copies))).take(NAMED).collect();
    let shown: Vec<_> = named.iter().map(|(op, copies)| format!("{} {} ({copies} times)", op.kind, op.id)).collect();
    CheckResult::of(vec![Finding {
        what: format!(
            "{} keys are in the ledger more than once: {}{}",
            repeated.len(),
            shown.join(", "),
            if repeated.len() > shown.len() { ", …" } else { "" }
        ),
        advice: "a write whose answer was lost may have happened: repeat it only under an idempotency key, or report \
                 it as indeterminate"
            .into(),
        ops: named.iter().map(|(op, _)| op.id).collect(),
    }])
}
