//! *duplicated write*: the audit finds no key in the ledger twice.

use super::facts::Facts;
use super::format::NAMED;
use super::lost_write::copies;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::Op;

pub(super) const SPEC: CheckSpec = CheckSpec {
    check: Check::DuplicatedWrite,
    black_box: BlackBox::NotSeen("the meaning of the application's statements is unknown"),
    run: check,
};

fn check(facts: &Facts) -> CheckResult {
    let Some(ledger) = facts.ledger else {
        return CheckResult::not_applicable("the audit did not run");
    };
    let repeated: Vec<_> = ledger.iter().filter(|(first, last, copies)| *copies > 1 && first <= last).collect();
    if repeated.is_empty() {
        return CheckResult::Pass;
    }
    // Counted, not listed, because a range of keys can be long; `i128`, so that no range overflows it.
    let keys: i128 = repeated.iter().map(|(first, last, _)| i128::from(*last) - i128::from(*first) + 1).sum();
    let named: Vec<(&Op, u64)> = facts
        .ops
        .iter()
        .filter(|op| op.kind.writes())
        .map(|op| (*op, copies(ledger, op.key)))
        .filter(|(_, copies)| *copies > 1)
        .take(NAMED)
        .collect();
    let shown: Vec<_> = named.iter().map(|(op, copies)| format!("{} {} ({copies} times)", op.kind, op.id)).collect();
    CheckResult::from_findings(vec![Finding {
        what: format!(
            "{keys} keys are in the ledger more than once: {}{}",
            if shown.is_empty() { "none written by this run".into() } else { shown.join(", ") },
            if keys > shown.len() as i128 { ", …" } else { "" }
        ),
        advice:
            "a write whose answer was lost may have been committed: repeat it only with an idempotency key, or report \
                 it as indeterminate"
                .into(),
        ops: named.iter().map(|(op, _)| op.id).collect(),
    }])
}
