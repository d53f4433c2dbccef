//! *full capacity*: no worker or pool slot stays dead while others are back, nor dies again.

use super::facts::{Facts, is_ok};
use super::format::{name, tally};
use super::recovery::recovered_at;
use super::verdict::{CheckResult, Finding};
use crate::model::history::Op;
use crate::model::time::show;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some(starts) = facts.recovery_starts() else {
        return CheckResult::not_applicable(facts.why_no_recovery());
    };
    // What counts is how it ended: the last window of the run, in which every worker must have had its turn.
    let budget = &facts.header.budget;
    let window = budget.stability.max(2 * facts.header.load.interval);
    let from = facts.stop().saturating_sub(window).max(recovered_at(facts).unwrap_or(starts));
    let last: Vec<&Op> = facts.answered_since(from).collect();
    let succeeded = last.iter().filter(|op| is_ok(op)).count();
    if succeeded == 0 && recovered_at(facts).is_none() {
        return CheckResult::not_applicable("nothing worked at the end, see recovered");
    }
    let failed: Vec<&Op> = last.iter().copied().filter(|op| !is_ok(op)).collect();
    let dead = dead_workers(facts, &last);
    if failed.is_empty() && dead.is_empty() {
        return CheckResult::Pass;
    }
    let mut what = format!("in the last {} of the run {succeeded} operations succeeded", show(window));
    if !failed.is_empty() {
        what += &format!(", but {} failed ({})", failed.len(), tally(failed.iter().copied()));
    }
    if !dead.is_empty() {
        let dead: Vec<_> = dead.iter().map(u32::to_string).collect();
        what += &format!(", but no answer came to worker {}", dead.join(", "));
    }
    CheckResult::of(vec![Finding {
        what,
        advice: "a part of the pool is dead for good: throw a broken connection out of the pool instead of giving it \
                 back"
            .into(),
        ops: name(failed),
    }])
}

/// Workers that got no answer in the last window, or whose last operation was open for longer than it should be.
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
