//! Rules for a black-box application: it does its own work, and only its traffic through the gateway is observed.
//!
//! An application is judged by its statements. A statement succeeds if the server answers it, also with an error of the
//! statement itself (a constraint, a conflict); errors of the session (08, 25, 26, 28, 3D, 53, 57 …) are failures. A
//! statement ends when the gateway sees that the server is ready again. The checks compare with the application's own
//! steady state: its slowest second, its longest statement, its highest rate of connection attempts. Its pool size is
//! unknown, so a grown pool is no leak; a transaction left idle is. Errors before the fault make the run unknown.

use std::time::Duration;

use super::facts::{Facts, is_ok};

/// Length of the slices of the steady state that are compared with each other.
const SLICE: Duration = Duration::from_secs(1);

/// Number of consecutive slices that need a success before the first fault.
const STEADY_SLICES: usize = 3;

/// Time between first and last success that suffices for an application without a success in every slice.
const LONG_AT_WORK: Duration = Duration::from_secs(10);

/// Factor on the longest statement of the steady state: a statement may take that long if the scenario allows less.
const LONGER: u32 = 2;

/// Whether the application is in steady state: it had a success in each of the last [`STEADY_SLICES`] slices, or its
/// successes span [`LONG_AT_WORK`].
pub(crate) fn is_at_work(facts: &Facts) -> bool {
    let successes = || facts.ops.iter().rev().filter(|op| is_ok(op)).filter_map(|op| op.ended);
    let mut slices = [false; STEADY_SLICES];
    for ended in successes() {
        let slice = (facts.until.saturating_sub(ended).as_nanos() / SLICE.as_nanos()) as usize;
        let Some(is_busy) = slices.get_mut(slice) else { break };
        *is_busy = true;
    }
    let (last, first) = (successes().next(), successes().next_back());
    let for_long = first.zip(last).is_some_and(|(first, last)| last.saturating_sub(first) >= LONG_AT_WORK);
    for_long || slices.iter().all(|is_busy| *is_busy)
}

/// Successful statements in the slowest second of the steady state; `None` if the steady state was too short, or had
/// a second without any. Unlike the workload, an application works at an uneven rate, so a drop below its mean proves
/// no loss.
pub(super) fn least_rate(facts: &Facts) -> Option<f64> {
    let hit = facts.hit()?;
    let before = facts.pause().map_or(hit, |pause| hit.min(pause.start));
    let succeeded = || facts.ops.iter().filter(|op| is_ok(op)).filter_map(|op| Some((op.ended?, op.count)));
    // Earlier statements belong to the application's start.
    let (first, _) = succeeded().next()?;
    let from = facts.steady_since?.saturating_sub(SLICE * STEADY_SLICES as u32).max(first);
    let slices = (before.checked_sub(from)?.as_nanos() / SLICE.as_nanos()) as usize;
    let mut counts = vec![0; slices];
    for (ended, count) in succeeded().take_while(|(ended, _)| *ended < before) {
        let slice = ((before - ended).as_nanos() / SLICE.as_nanos()) as usize;
        if let Some(sum) = counts.get_mut(slice) {
            *sum += count;
        }
    }
    counts.into_iter().min().filter(|least| *least > 0).map(|least| least as f64 / SLICE.as_secs_f64())
}

/// The longest that a statement may take: the larger of the scenario's limit and [`LONGER`] times the longest
/// successful statement before the fault.
pub(super) fn longest(facts: &Facts, allowed: Duration) -> Duration {
    let Some(hit) = facts.hit() else { return allowed };
    let before = facts.ops.iter().filter(|op| is_ok(op)).filter_map(|op| Some((op.began, op.ended?)));
    let longest = before.take_while(|(_, ended)| *ended < hit).map(|(began, ended)| ended.saturating_sub(began)).max();
    longest.map_or(allowed, |longest| allowed.max(longest * LONGER))
}
