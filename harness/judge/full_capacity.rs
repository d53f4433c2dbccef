//! *full capacity*: no worker or pool slot stays dead while others are back.

use super::facts::{Facts, is_ok, name, tally};
use super::recovery::recovered_at;
use super::verdict::{CheckResult, Finding};
use crate::history::Op;
use crate::time::show;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some(starts) = facts.recovery_starts() else {
        return CheckResult::not_applicable("no fault was healed");
    };
    if recovered_at(facts).is_some() {
        return CheckResult::Pass;
    }
    // What counts is how it ended: the last stability window of the run.
    let window = facts.header.budget.stability;
    let from = facts.end().saturating_sub(window).max(starts);
    let last: Vec<&Op> = facts.answered_since(from).collect();
    let succeeded = last.iter().filter(|op| is_ok(op)).count();
    if succeeded == 0 {
        return CheckResult::not_applicable("nothing worked at the end, see recovered");
    }
    let failed: Vec<&Op> = last.iter().copied().filter(|op| !is_ok(op)).collect();
    let silent: Vec<_> = (0..facts.workers()).filter(|worker| !last.iter().any(|op| op.worker == *worker)).collect();
    if failed.is_empty() && silent.is_empty() {
        return CheckResult::Pass;
    }
    let mut what = format!("in the last {} of the run {succeeded} operations succeeded", show(window));
    if !failed.is_empty() {
        what += &format!(", but {} failed ({})", failed.len(), tally(failed.iter().copied()));
    }
    if !silent.is_empty() {
        what += &format!(", but workers {silent:?} got no answer");
    }
    CheckResult::of(vec![Finding {
        what,
        advice: "a part of the pool is dead for good: throw a broken connection out of the pool instead of giving it \
                 back"
            .into(),
        ops: name(failed),
    }])
}
