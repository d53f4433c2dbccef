//! *throughput*: the client comes back at its old speed.

use std::time::Duration;

use super::black_box;
use super::facts::{Facts, is_ok};
use super::harness_lag::lateness;
use super::recovery::recovered_at;
use super::verdict::{CheckResult, Finding};
use crate::model::time::show;

/// The part of the interval between two operations by which they may be begun late, on average, where the rate is still the
/// client's to answer for. On a quiet machine they are some 1 ms late, which is what its timers are good for.
const OUT_OF_BREATH: u32 = 10;

/// How busy a machine is, in percent, on which nothing can be told of a client's own speed.
const NOTHING_TO_SPARE: u64 = 95;

/// How busy it is where that depends on whether anything had to wait for a processor, and for how much of the time, both in
/// percent.
///
/// Neither says it alone. Three quarters may be all the work that there is, and then none of it waits; and what waits may be
/// of a lower priority, or confined to a few processors of many. Two processors with a whole loop on one of them were 60
/// busy, and something waited in 3 to 23; with a loop on each it was 100, and 33 to 81.
const LITTLE_TO_SPARE: u64 = 75;
const WAITED: u64 = 25;

pub(super) fn check(facts: &Facts) -> CheckResult {
    if recovered_at(facts).is_none() {
        let reason = facts.recovery_starts().map_or(facts.why_no_recovery(), |_| "it did not recover");
        return CheckResult::not_applicable(reason);
    }
    let Some((steady, settled)) = rates(facts) else {
        return CheckResult::not_applicable(match facts.is_watched() {
            true => {
                "before the fault there were seconds without any statement, so that there is no rate to compare with"
            }
            false => "there was no steady state to compare with",
        });
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
            "{settled:.0} operations a second after recovery, {:.0} % of the {steady:.0} {}before the fault; the limit is \
             {:.0} %",
            settled / steady * 100.0,
            if facts.is_watched() { "in the poorest second " } else { "" },
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
    let what = if mean > facts.header.load.interval / OUT_OF_BREATH {
        format!("the harness itself was {} late with each operation", show(mean))
    } else {
        // Of which a client in another process has its share as well.
        let seconds = facts.busy.iter().filter(|(at, ..)| *at >= settled_from && *at <= facts.stop());
        let busy = mean_of(seconds.clone().map(|(_, busy, _)| *busy))?;
        let waited = mean_of(seconds.filter_map(|(.., waited)| *waited)).filter(|waited| *waited >= WAITED);
        match waited.filter(|_| busy >= LITTLE_TO_SPARE) {
            Some(waited) => {
                format!("the machine was busy for {busy} % of the time, and for {waited} % something waited for it")
            }
            None if busy >= NOTHING_TO_SPARE => format!("the machine was busy for {busy} % of the time"),
            None => return None,
        }
    };
    Some(format!("after recovery {what}, so that the rate is the machine's: give it less to do at once (--jobs)"))
}

fn mean_of(percent: impl Iterator<Item = u8>) -> Option<u64> {
    let (sum, count) = percent.fold((0, 0), |(sum, count), percent| (sum + u64::from(percent), count + 1));
    u64::checked_div(sum, count)
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
    let succeeded = facts.ops.iter().filter(|op| is_ok(op)).filter_map(|op| Some((op.ended?, op.count)));
    let ended: Vec<(Duration, u64)> = succeeded.collect();
    // Windows that end with a success; `first` is the first success in the window.
    let settled = &ended[ended.partition_point(|(at, _)| *at <= settled_from)..];
    let (mut first, mut sum, mut best) = (0, 0, 0);
    for (at, count) in settled {
        sum += count;
        while settled[first].0 + window <= *at {
            sum -= settled[first].1;
            first += 1;
        }
        if *at >= settled_from + window {
            best = best.max(sum);
        }
    }
    let per_second = |count: u64| count as f64 / window.as_secs_f64();
    let steady = if facts.is_watched() {
        black_box::least_rate(facts)?
    } else {
        per_second(ended.iter().filter(|(at, _)| *at > before - window && *at <= before).map(|(_, count)| count).sum())
    };
    (steady > 0.0).then(|| (steady, per_second(best)))
}
