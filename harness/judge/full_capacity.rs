//! *full capacity*: at the end of the run every worker gets answers, and no operation fails.

use super::facts::{Facts, is_ok};
use super::format::{name, tally};
use super::recovery::recovered_at;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::Op;
use crate::model::time::show;

pub(super) const SPEC: CheckSpec = CheckSpec {
    check: Check::FullCapacity,
    black_box: BlackBox::NotSeen("the application's number of workers is unknown"),
    run: check,
};

fn check(facts: &Facts) -> CheckResult {
    let Some(starts) = facts.recovery_starts() else {
        return CheckResult::not_applicable(facts.why_no_recovery());
    };
    // Only the last window of the run counts; it is long enough for every worker to have started an operation in it.
    let budget = &facts.header.budget;
    let window = budget.stability.max(2 * facts.header.load.interval);
    let from = facts.stop().saturating_sub(window).max(recovered_at(facts).unwrap_or(starts));
    let last: Vec<&Op> = facts.answered_since(from).collect();
    let succeeded = last.iter().filter(|op| is_ok(op)).count();
    if succeeded == 0 && recovered_at(facts).is_none() {
        return CheckResult::not_applicable("no operation succeeded at the end: see recovered");
    }
    let failed: Vec<&Op> = last.iter().copied().filter(|op| !is_ok(op)).collect();
    let dead = dead_workers(facts, &last);
    if failed.is_empty() && dead.is_empty() {
        return CheckResult::Pass;
    }
    let seen = facts.stop().saturating_sub(from);
    let mut what = format!("in the last {} of the run {succeeded} operations succeeded", show(seen));
    if !failed.is_empty() {
        what += &format!(" and {} failed ({})", failed.len(), tally(failed.iter().copied()));
    }
    if !dead.is_empty() {
        let dead: Vec<_> = dead.iter().map(u32::to_string).collect();
        what += &format!(", but worker {} got no answer", dead.join(", "));
    }
    CheckResult::from_findings(vec![Finding {
        what,
        advice: "a part of the pool no longer works: discard a broken connection instead of returning it to the pool"
            .into(),
        ops: name(failed),
    }])
}

/// Workers that got no answer in the last window, or whose last operation is still open after more than a stability
/// window.
fn dead_workers(facts: &Facts, last: &[&Op]) -> Vec<u32> {
    let mut answered = vec![false; facts.workers() as usize];
    for op in last {
        if let Some(answered) = answered.get_mut(op.worker as usize) {
            *answered = true;
        }
    }
    let stuck = |op: &&&Op| facts.end().saturating_sub(op.began) > facts.header.budget.stability;
    for op in facts.ops.iter().rev().take_while(|op| op.ended.is_none()).filter(stuck) {
        if let Some(answered) = answered.get_mut(op.worker as usize) {
            *answered = false;
        }
    }
    (0..).zip(answered).filter(|(_, answered)| !answered).map(|(worker, _)| worker).collect()
}
