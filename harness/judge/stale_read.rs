//! *stale read*: a worker sees what it was told is written.

use super::facts::{Facts, is_ok};
use super::verdict::{CheckResult, Finding};
use super::words::name;
use crate::history::Op;
use crate::time::show;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let stale: Vec<&Op> = facts.ops.iter().copied().filter(|op| is_ok(op) && op.found == Some(false)).collect();
    let Some(first) = stale.first() else {
        // A read that does not say what it found has not shown anything.
        return match facts.ops.iter().any(|op| is_ok(op) && op.found == Some(true)) {
            true => CheckResult::Pass,
            false => CheckResult::not_applicable("no read said whether it found its key"),
        };
    };
    CheckResult::of(vec![Finding {
        what: format!(
            "{} reads missed a write that the same worker had acknowledged; the first, read {} at {}, did not see key {}",
            stale.len(),
            first.id,
            show(first.began),
            first.key
        ),
        advice:
            "after a reconnect, read from the primary and outside any old transaction or snapshot; or the write was \
                 lost, see lost write"
                .into(),
        ops: name(stale),
    }])
}
