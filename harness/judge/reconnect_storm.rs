//! *reconnect storm*: the client limits its connection attempts during an outage.
//!
//! Each operation in flight may cause one attempt; the check limits the attempts beyond these in any window.
//! Therefore a client that connects for each operation passes, and a client that retries in a loop fails. Under a
//! persistent fault the limit beyond the operations is one attempt per second and worker. Only this check counts
//! attempts; *error surface* judges which error the caller gets, and when.

use std::time::Duration;

use super::facts::Facts;
use super::measures::peak;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::fault::FaultKind;
use crate::model::time::show;

/// Length of the windows in which attempts are counted, from the fault on.
const WINDOW: Duration = Duration::from_secs(1);

/// Time after the fault from which a client that backs off has slowed down.
const SLOWED_AFTER: Duration = Duration::from_secs(1);

/// Length of the windows in which attempts are counted from [`SLOWED_AFTER`] on.
const SLOW_WINDOW: Duration = Duration::from_secs(2);

/// Maximum of attempts per second and worker from [`SLOWED_AFTER`] on: exponential backoff with a cap of one second
/// makes two, a fixed delay of 200 ms makes five. A client without a delay makes more, even if the server answers
/// slowly.
const SLOWED_ATTEMPTS: u64 = 5;

/// Maximum of attempts per second and worker under a persistent fault, which retries cannot overcome.
const ATTEMPTS_AGAINST_PERSISTENT: u64 = 1;

pub(super) const SPEC: CheckSpec = CheckSpec { check: Check::ReconnectStorm, black_box: BlackBox::Applies, run: check };

fn check(facts: &Facts) -> CheckResult {
    let Some(hit) = facts.hit() else {
        return CheckResult::not_applicable("no fault was injected");
    };
    let each = if facts.is_persistent() {
        ATTEMPTS_AGAINST_PERSISTENT
    } else {
        u64::from(facts.header.budget.attempts_per_worker)
    };
    let workers = match facts.is_black_box() {
        // The number of workers of a black-box application is unknown: its connections in steady state are used
        // instead.
        true => match facts.steady.filter(|steady| steady.open > 0) {
            Some(steady) => u64::from(steady.open),
            None => {
                return CheckResult::not_applicable("the number of connections that the application needs is unknown");
            }
        },
        // A client that listens has one more connection to reopen.
        false => u64::from(facts.workers()) + u64::from(facts.header.load.listen),
    };
    // A client may replace every lost connection once, even if it held more connections than it has workers.
    let spare = match facts.is_persistent() || facts.is_black_box() {
        true => 0,
        false => u64::from(facts.steady.map_or(0, |steady| steady.open).saturating_sub(workers as u32)),
    };
    let slow = SLOWED_ATTEMPTS.min(each) * SLOW_WINDOW.as_secs();
    // One attempt tries each address until one answers.
    let addresses = workers * facts.header.layout.hosts.len().max(1) as u64;
    let rules = [(hit, WINDOW, each * addresses + spare), (hit + SLOWED_AFTER, SLOW_WINDOW, slow * addresses + spare)];
    let broken = rules.iter().find_map(|(since, window, limit)| {
        let worst = worst_window(facts, *since, *window)?;
        (worst.beyond > *limit).then_some((worst, *window, *limit))
    });
    let Some((worst, window, limit)) = broken else {
        return match attempts_not_counted(facts, hit) {
            Some(reason) => CheckResult::NotApplicable { reason },
            None => CheckResult::Pass,
        };
    };
    let length = if window == WINDOW { "one second".to_owned() } else { show(window) };
    CheckResult::from_findings(vec![Finding {
        what: format!(
            "{} connection attempts in {length} (from {} after the fault), {} above {}; the limit is {limit} above for \
             {workers} {}",
            worst.attempts,
            show(worst.from.saturating_sub(hit)),
            worst.beyond,
            match facts.is_black_box() {
                true => format!("the {} of the steady state", worst.expected),
                false => format!("the {} in-flight operations", worst.expected),
            },
            match (facts.is_black_box(), facts.header.load.listen) {
                (true, _) => "connections",
                (false, true) => "workers, including the listener",
                (false, false) => "workers",
            }
        ),
        advice: "wait between attempts: exponential backoff from about 50 ms, with full jitter and a cap".into(),
        ops: Vec::new(),
    }])
}

/// The attempts in one window.
struct Busy {
    from: Duration,
    attempts: u64,
    /// Operations open in the same window, each of which may have caused one attempt; for a black-box application the
    /// most attempts in a window of the steady state.
    expected: u64,
    beyond: u64,
}

/// The window with the most attempts beyond the expected ones; the first of equals.
fn worst_window(facts: &Facts, since: Duration, window: Duration) -> Option<Busy> {
    let mut begun: Vec<Duration> = facts.ops.iter().map(|op| op.began).collect();
    begun.sort();
    let opened = &facts.opened[facts.opened.partition_point(|at| *at < since)..];
    let attempts =
        |from: Duration| opened.partition_point(|at| *at < from + window) - opened.partition_point(|at| *at < from);
    let usual = facts.is_black_box().then(|| usual_attempts(facts, window) as usize);
    // Includes operations that began earlier and are still open: an operation may connect long after its start.
    let expected = |from: Duration| {
        if let Some(usual) = usual {
            return usual;
        }
        let over = facts.ops.partition_point(|op| op.ended.is_some_and(|ended| ended < from));
        begun.partition_point(|at| *at < from + window).saturating_sub(over)
    };
    opened
        .iter()
        .map(|from| {
            let (attempts, expected) = (attempts(*from) as u64, expected(*from) as u64);
            Busy { from: *from, attempts, expected, beyond: attempts.saturating_sub(expected) }
        })
        // Reversed, because `max_by_key` returns the last of equals.
        .rev()
        .max_by_key(|busy| busy.beyond)
}

/// The most attempts in any window of this length in steady state: an application may connect for each request.
fn usual_attempts(facts: &Facts, window: Duration) -> u64 {
    let (Some(since), Some(hit)) = (facts.steady_since, facts.hit()) else { return 0 };
    let from = facts.opened.partition_point(|at| *at < since);
    let to = facts.opened.partition_point(|at| *at < hit).max(from);
    peak(&facts.opened[from..to], window)
}

/// Why attempts could not be counted, if none could reach the gateway for most of the outage: the kernel refuses them
/// or drops their SYNs without counting them, and a client whose host name does not resolve makes none.
fn attempts_not_counted(facts: &Facts, hit: Duration) -> Option<String> {
    let end = facts.healed().unwrap_or(facts.end());
    let mut refused_for = Duration::ZERO;
    let mut since = None;
    for (at, on) in facts.refusing.iter().chain([&(end, false)]) {
        let at = (*at).clamp(hit, end.max(hit));
        match (on, since) {
            (true, None) => since = Some(at),
            (false, Some(from)) => {
                refused_for += at.saturating_sub(from);
                since = None;
            }
            _ => {}
        }
    }
    let unseen = |kind| matches!(kind, FaultKind::Hang | FaultKind::WrongHost);
    let hung = facts.faults.iter().filter(|times| unseen(times.fault.kind));
    let hung = hung.filter_map(|times| Some(times.healed.unwrap_or(end).saturating_sub(times.injecting?)));
    let kept_out = refused_for + hung.sum::<Duration>();
    let outage = end.saturating_sub(hit);
    (kept_out > outage.saturating_sub(kept_out)).then(|| {
        format!(
            "attempts cannot be counted for {} of the {} of the outage: connections were refused, unanswered, or had no \
             address",
            show(kept_out),
            show(outage)
        )
    })
}
