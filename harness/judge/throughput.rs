//! *throughput*: the client comes back at its old speed.

use std::time::Duration;

use super::facts::{Facts, is_ok};
use super::pace::lateness;
use super::recovery::recovered_at;
use super::verdict::{CheckResult, Finding};
use crate::time::show;

/// The part of the interval between two operations by which they may be begun late, on average, where the rate is still the
/// client's to answer for. On a quiet machine they are some 1 ms late, which is what its timers are good for.
const OUT_OF_BREATH: u32 = 10;

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
    if let Some(reason) = out_of_breath(facts) {
        return CheckResult::Unknown { reason };
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

/// Why a low rate is not the client's: the machine that drives it was out of breath once it had recovered.
fn out_of_breath(facts: &Facts) -> Option<String> {
    let settled_from = recovered_at(facts)?.max(facts.healed()?);
    let late = lateness(facts).filter(|(_, op)| op.began >= settled_from).map(|(late, _)| late);
    let (sum, count) = late.fold((Duration::ZERO, 0), |(sum, count), late| (sum + late, count + 1));
    let mean = sum.checked_div(count)?;
    (mean > facts.header.load.interval / OUT_OF_BREATH).then(|| {
        format!(
            "after recovery the harness itself was {} late with each operation, so that the rate is the machine's: give \
             it less to do at once (--jobs)",
            show(mean)
        )
    })
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
