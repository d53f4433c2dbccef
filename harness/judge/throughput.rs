//! *throughput*: the client comes back at its old speed.

use std::time::Duration;

use super::facts::{Facts, is_ok};
use super::recovery::recovered_at;
use super::verdict::{CheckResult, Finding};

pub(super) fn check(facts: &Facts) -> CheckResult {
    if recovered_at(facts).is_none() {
        let reason = facts.recovery_starts().map_or(facts.why_no_recovery(), |_| "it did not recover");
        return CheckResult::not_applicable(reason);
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

/// Successes per second in the last window before the fault, and in the best window after recovery; `None` while there
/// is nothing to compare.
///
/// *The best*, because the question is whether the client comes back to its old speed. Any one window, the last say,
/// can hold a hiccup of the machine, or the quiet in which the end of the workload waits for its slowest operation.
pub(crate) fn rates(facts: &Facts) -> Option<(f64, f64)> {
    let (since, hit) = (facts.steady_since?, facts.hit()?);
    let settled_from = recovered_at(facts)?.max(facts.healed()?);
    // A pause of the workload before the fault is not slowness.
    let before = facts.pause().map_or(hit, |pause| hit.min(pause.start));
    let window = facts.header.budget.stability.min(before.checked_sub(since)?);
    if window.is_zero() {
        return None;
    }
    let ended: Vec<Duration> = facts.ops.iter().filter(|op| is_ok(op)).filter_map(|op| op.ended).collect();
    let steady = ended.iter().filter(|at| **at > before - window && **at <= before).count();
    // Windows that end with a success; `first` is the first success in the window.
    let settled = &ended[ended.partition_point(|at| *at <= settled_from)..];
    let (mut first, mut best) = (0, 0);
    for (last, at) in settled.iter().enumerate().filter(|(_, at)| **at >= settled_from + window) {
        while settled[first] + window <= *at {
            first += 1;
        }
        best = best.max(last - first + 1);
    }
    let per_second = |count: usize| count as f64 / window.as_secs_f64();
    (steady > 0).then(|| (per_second(steady), per_second(best)))
}
