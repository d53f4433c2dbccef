//! *throughput*: the client comes back at its old speed.

use std::time::Duration;

use super::facts::{Facts, is_ok};
use super::recovery::recovered_at;
use super::verdict::{CheckResult, Finding};

pub(super) fn check(facts: &Facts) -> CheckResult {
    if recovered_at(facts).is_none() {
        return CheckResult::not_applicable("it did not recover");
    }
    let Some((steady, settled)) = rates(facts) else {
        return CheckResult::not_applicable("there was no steady state to compare with");
    };
    let share = facts.header.budget.throughput;
    if settled >= share * steady {
        return CheckResult::Pass;
    }
    CheckResult::of(vec![Finding {
        what: format!(
            "{settled:.0} operations a second after recovery, {:.0} % of the {steady:.0} before the fault; the limit is \
             {:.0} %",
            settled / steady * 100.0,
            share * 100.0
        ),
        advice: "look for connections that were not replaced, or that wait for a timeout on each use".into(),
        ops: Vec::new(),
    }])
}

/// Successes per second in the last window before the fault and in the last window of the run.
pub(crate) fn rates(facts: &Facts) -> Option<(f64, f64)> {
    let (since, hit, end) = (facts.steady_since?, facts.hit()?, facts.end());
    let window = facts.header.budget.stability.min(hit.checked_sub(since)?);
    let rate = |from: Duration, to: Duration| {
        let count = facts
            .ops
            .iter()
            .filter(|op| is_ok(op) && op.ended.is_some_and(|ended| ended > from && ended <= to))
            .count();
        count as f64 / (to - from).as_secs_f64()
    };
    if window.is_zero() || end <= window {
        return None;
    }
    let steady = rate(hit - window, hit);
    (steady > 0.0).then(|| (steady, rate(end - window, end)))
}
