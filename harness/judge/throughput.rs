//! *throughput*: after recovery the client reaches the budget's share of its rate before the fault.

use std::time::Duration;

use super::black_box;
use super::facts::{Facts, is_ok};
use super::harness_lag::lateness;
use super::recovery::recovered_at;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::time::show;

/// The harness may start operations late by this part (a tenth) of the interval between two operations, on average.
/// Beyond it the rate says nothing about the client. On a quiet machine the delay is about 1 ms, the accuracy of its
/// timers.
const LATENESS_DIVISOR: u32 = 10;

/// CPU use, in percent, from which a low rate says nothing about the client.
const CPU_SATURATED: u64 = 95;

/// CPU use and CPU pressure (share of the time in which a task waited for a processor), in percent, which together mean that
/// a low rate says nothing about the client.
///
/// Neither suffices alone: at 75 % use no task may have waited, and the tasks that waited may be of a lower priority or
/// confined to a few of many processors. Two processors with a busy loop on one of them: use 60, pressure 3 to 23; with a
/// loop on each: use 100, pressure 33 to 81.
const CPU_BUSY: u64 = 75;
const CPU_PRESSURE: u64 = 25;

pub(super) const SPEC: CheckSpec = CheckSpec { check: Check::Throughput, black_box: BlackBox::Applies, run: check };

fn check(facts: &Facts) -> CheckResult {
    if recovered_at(facts).is_none() {
        let reason = facts.recovery_starts().map_or(facts.why_no_recovery(), |_| "the client did not recover");
        return CheckResult::not_applicable(reason);
    }
    let Some((steady, settled)) = rates(facts) else {
        return CheckResult::not_applicable(match facts.is_black_box() {
            true => {
                "the application had seconds without a statement before the fault: there is no rate to compare with"
            }
            false => "there was no steady state to compare with",
        });
    };
    let share = facts.header.budget.throughput;
    if settled >= share * steady {
        return CheckResult::Pass;
    }
    if let Some(reason) = machine_overload(facts) {
        return CheckResult::Unknown { reason };
    }
    CheckResult::from_findings(vec![Finding {
        what: format!(
            "{settled:.0} operations a second after recovery, {:.0} % of the {steady:.0} {}before the fault; at least \
             {:.0} % is required",
            settled / steady * 100.0,
            if facts.is_black_box() { "in the slowest second " } else { "" },
            share * 100.0
        ),
        advice: "look for connections that were not replaced, or that run into a timeout on each use".into(),
        ops: Vec::new(),
    }])
}

/// Why a low rate says nothing about the client: the machine was overloaded after recovery.
fn machine_overload(facts: &Facts) -> Option<String> {
    let settled_from = recovered_at(facts)?.max(facts.healed()?);
    let late = lateness(facts).filter(|(_, op)| op.began >= settled_from).map(|(late, _)| late);
    let (sum, count) = late.fold((Duration::ZERO, 0), |(sum, count), late| (sum + late, count + 1));
    let mean = sum.checked_div(count)?;
    let what = if mean > facts.header.load.interval / LATENESS_DIVISOR {
        format!("the harness started operations {} late on average", show(mean))
    } else {
        // CPU use includes that of a client in another process.
        let seconds = facts.busy.iter().filter(|(at, ..)| *at >= settled_from && *at <= facts.stop());
        let busy = mean_of(seconds.clone().map(|(_, busy, _)| *busy))?;
        let waited = mean_of(seconds.filter_map(|(.., waited)| *waited)).filter(|waited| *waited >= CPU_PRESSURE);
        match waited.filter(|_| busy >= CPU_BUSY) {
            Some(waited) => {
                format!("CPU use was {busy} % and CPU pressure {waited} %")
            }
            None if busy >= CPU_SATURATED => format!("CPU use was {busy} %"),
            None => return None,
        }
    };
    Some(format!("after recovery {what}, so a low rate may be due to the machine: run fewer runs at once (--jobs)"))
}

fn mean_of(percent: impl Iterator<Item = u8>) -> Option<u64> {
    let (sum, count) = percent.fold((0, 0), |(sum, count), percent| (sum + u64::from(percent), count + 1));
    u64::checked_div(sum, count)
}

/// Successes per second before the fault (in the last window; for a black-box application in the slowest second), and
/// in the best window after recovery, 0 if none is complete. `None` if there was no rate before the fault, or no
/// recovery.
///
/// The best window shows whether the client reaches its old rate. Any single window can contain a pause of the machine, and
/// the last window can contain the wait for the slowest operation at the end of the workload.
pub(crate) fn rates(facts: &Facts) -> Option<(f64, f64)> {
    let (since, hit) = (facts.steady_since?, facts.hit()?);
    let settled_from = recovered_at(facts)?.max(facts.healed()?);
    // A pause of the workload before the fault does not lower the rate.
    let before = facts.pause().map_or(hit, |pause| hit.min(pause.start));
    let window = facts.header.budget.stability.min(before.checked_sub(since)?);
    if window.is_zero() {
        return None;
    }
    let succeeded = facts.ops.iter().filter(|op| is_ok(op)).filter_map(|op| Some((op.ended?, op.count)));
    let ended: Vec<(Duration, u64)> = succeeded.collect();
    // Only windows that end with a success are counted; `first` is the first success in the window.
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
    let steady = if facts.is_black_box() {
        black_box::least_rate(facts)?
    } else {
        per_second(ended.iter().filter(|(at, _)| *at > before - window && *at <= before).map(|(_, count)| count).sum())
    };
    (steady > 0.0).then(|| (steady, per_second(best)))
}
