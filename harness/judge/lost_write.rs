//! *lost write*: the audit finds every acknowledged write in the ledger.

use super::facts::{Facts, is_ok};
use super::format::{NAMED, name};
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::Op;

pub(super) const SPEC: CheckSpec = CheckSpec {
    check: Check::LostWrite,
    black_box: BlackBox::NotSeen("the meaning of the application's statements is unknown"),
    run: check,
};

fn check(facts: &Facts) -> CheckResult {
    let Some(ledger) = facts.ledger else {
        return CheckResult::not_applicable("the audit did not run");
    };
    let lost: Vec<&Op> =
        facts.ops.iter().copied().filter(|op| is_ok(op) && op.kind.writes() && copies(ledger, op.key) == 0).collect();
    if lost.is_empty() {
        return CheckResult::Pass;
    }
    let acknowledged = facts.ops.iter().filter(|op| is_ok(op) && op.kind.writes()).count();
    let first: Vec<_> = lost.iter().take(NAMED).map(|op| format!("{} {}", op.kind, op.id)).collect();
    CheckResult::from_findings(vec![Finding {
        what: format!(
            "{} of {acknowledged} acknowledged writes are not in the ledger: {}{}",
            lost.len(),
            first.join(", "),
            if lost.len() > NAMED { ", …" } else { "" }
        ),
        advice: "acknowledge a write only after the server has confirmed its COMMIT".into(),
        ops: name(lost),
    }])
}

/// Copies of a key in the ledger.
pub(super) fn copies(ledger: &[(i64, i64, u64)], key: i64) -> u64 {
    let after = ledger.partition_point(|(first, _, _)| *first <= key);
    match after.checked_sub(1).map(|index| ledger[index]) {
        Some((_, last, copies)) if key <= last => copies,
        _ => 0,
    }
}
