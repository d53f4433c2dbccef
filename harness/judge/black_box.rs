//! What can be said of an application that does its own work, and of which only what passes the gateway is seen.

use std::time::Duration;

use super::facts::{Facts, is_ok};
use super::verdict::Check;

/// The parts of the steady state that are compared with each other.
const SLICE: Duration = Duration::from_secs(1);

/// For how many of them an application is to be seen at work before anything is done to it.
const STEADY_SLICES: usize = 3;

/// Or over how long, if it has less to do than something in each.
const LONG_AT_WORK: Duration = Duration::from_secs(10);

/// How much longer than ever in its steady state a statement may take, where that is more than the scenario allows.
const LONGER: u32 = 2;

/// Why a check has nothing to look at; `None`: what it needs is seen.
pub(super) fn unseen(check: Check) -> Option<&'static str> {
    match check {
        Check::LostWrite | Check::DuplicatedWrite | Check::StaleRead => {
            Some("what the application's statements mean to it is not known")
        }
        Check::FullCapacity => Some("how many workers the application has is not seen"),
        Check::Deadline | Check::Subscription => Some("nothing is asked of an application that is only watched"),
        Check::ErrorSurface => Some("what the application tells those who use it is not seen"),
        Check::Recovered
        | Check::HungOperation
        | Check::Undisturbed
        | Check::ReconnectStorm
        | Check::ConnectionLeak
        | Check::Throughput
        | Check::Process => None,
    }
}

/// Whether an application has been seen at work long enough to know its pace: a success in every slice of late, or, of one
/// that does little, some over a longer time.
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

/// Statements a second in the poorest second of the steady state; `None` where that was too short, or had a second without
/// any. The work of an application is not even, as the workload is, and what is uneven by itself proves no loss.
pub(super) fn least_rate(facts: &Facts) -> Option<f64> {
    let hit = facts.hit()?;
    let before = facts.pause().map_or(hit, |pause| hit.min(pause.start));
    let succeeded = || facts.ops.iter().filter(|op| is_ok(op)).filter_map(|op| Some((op.ended?, op.count)));
    // What came before, it did to get ready.
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

/// The longest that a statement may take: what the scenario allows, or what the application itself is used to.
pub(super) fn longest(facts: &Facts, allowed: Duration) -> Duration {
    let Some(hit) = facts.hit() else { return allowed };
    let before = facts.ops.iter().filter(|op| is_ok(op)).filter_map(|op| Some((op.began, op.ended?)));
    let longest = before.take_while(|(_, ended)| *ended < hit).map(|(began, ended)| ended.saturating_sub(began)).max();
    longest.map_or(allowed, |longest| allowed.max(longest * LONGER))
}
