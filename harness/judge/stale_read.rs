//! *stale read*: a worker sees what it was told is written, and everybody sees the same.
//!
//! *Split brain* belongs here: an acknowledged write that only an old primary holds is missing for all who read from
//! the new one. That it is lost there too is another check's affair.

use super::facts::{Facts, is_ok};
use super::format::name;
use super::lost_write::copies;
use super::verdict::{CheckResult, Finding};
use crate::model::history::Op;
use crate::model::time::show;

pub(super) fn check(facts: &Facts) -> CheckResult {
    match (reads(facts), split_brain(facts)) {
        (CheckResult::Fail { mut findings }, Some(split)) => {
            findings.push(split);
            CheckResult::of(findings)
        }
        (_, Some(split)) => CheckResult::of(vec![split]),
        (reads, None) => reads,
    }
}

/// Acknowledged writes that only the server beside the primary holds.
fn split_brain(facts: &Facts) -> Option<Finding> {
    let (ledger, beside) = (facts.ledger?, facts.ledger_beside?);
    let astray = |op: &&Op| is_ok(op) && op.kind.writes() && copies(ledger, op.key) == 0 && copies(beside, op.key) > 0;
    let astray: Vec<&Op> = facts.ops.iter().copied().filter(astray).collect();
    let first = astray.first()?;
    Some(Finding {
        what: format!(
            "split brain: {} acknowledged writes are on the old primary alone; the first is {} {}, at {}",
            astray.len(),
            first.kind,
            first.id,
            show(first.began)
        ),
        advice: "have every commit wait for a standby, and do not take a cancelled wait for a commit (warning 01000); after a \
                 failover, drop every connection to the old primary"
            .into(),
        ops: name(astray),
    })
}

fn reads(facts: &Facts) -> CheckResult {
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
