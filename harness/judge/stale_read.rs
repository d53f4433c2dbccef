//! *stale read*: every read finds the write that was acknowledged to the same worker, and no acknowledged write is
//! only on the old primary.
//!
//! The second condition (*split brain*) is checked here because clients of the new primary cannot read such a write.
//! The check *lost write* reports it as well.

use super::facts::{Facts, is_ok};
use super::format::name;
use super::lost_write::copies;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::Op;
use crate::model::time::show;

pub(super) const SPEC: CheckSpec = CheckSpec {
    check: Check::StaleRead,
    black_box: BlackBox::NotSeen("the meaning of the application's statements is unknown"),
    run: check,
};

fn check(facts: &Facts) -> CheckResult {
    match (reads(facts), split_brain(facts)) {
        (CheckResult::Fail { mut findings }, Some(split)) => {
            findings.push(split);
            CheckResult::from_findings(findings)
        }
        (_, Some(split)) => CheckResult::from_findings(vec![split]),
        (reads, None) => reads,
    }
}

/// Finds acknowledged writes that are in the ledger of the old primary, but not in that of the primary.
fn split_brain(facts: &Facts) -> Option<Finding> {
    let (ledger, beside) = (facts.ledger?, facts.ledger_beside?);
    let astray = |op: &&Op| is_ok(op) && op.kind.writes() && copies(ledger, op.key) == 0 && copies(beside, op.key) > 0;
    let astray: Vec<&Op> = facts.ops.iter().copied().filter(astray).collect();
    let first = astray.first()?;
    Some(Finding {
        what: format!(
            "split brain: {} acknowledged writes are only on the old primary; the first is {} {}, at {}",
            astray.len(),
            first.kind,
            first.id,
            show(first.began)
        ),
        advice: "let every commit wait for a standby, and do not treat a cancelled wait as a commit (warning 01000); after a \
                 failover, close every connection to the old primary"
            .into(),
        ops: name(astray),
    })
}

fn reads(facts: &Facts) -> CheckResult {
    let stale: Vec<&Op> = facts.ops.iter().copied().filter(|op| is_ok(op) && op.found == Some(false)).collect();
    let Some(first) = stale.first() else {
        // A read that does not report whether it found its key proves nothing.
        return match facts.ops.iter().any(|op| is_ok(op) && op.found == Some(true)) {
            true => CheckResult::Pass,
            false => CheckResult::not_applicable("no read reported whether it found its key"),
        };
    };
    CheckResult::from_findings(vec![Finding {
        what: format!(
            "{} reads missed a write that was acknowledged to the same worker; the first, read {} at {}, did not find key {}",
            stale.len(),
            first.id,
            show(first.began),
            first.key
        ),
        advice:
            "after a reconnect, read from the primary and outside any old transaction or snapshot; if the write is lost, \
                 see lost write"
                .into(),
        ops: name(stale),
    }])
}
