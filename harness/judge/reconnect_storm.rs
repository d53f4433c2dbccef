//! *reconnect storm*: a client in trouble does not hammer the server.

use std::time::Duration;

use super::facts::Facts;
use super::measures::peak;
use super::verdict::{CheckResult, Finding};
use crate::model::fault::FaultKind;
use crate::model::time::show;

/// Attempts are counted over windows of this length.
const WINDOW: Duration = Duration::from_secs(1);

/// Once an outage has lasted this long, a client that backs off has slowed down…
const SLOWED_AFTER: Duration = Duration::from_secs(1);

/// …and over windows of this length…
const SLOW_WINDOW: Duration = Duration::from_secs(2);

/// …makes no more than five attempts a second and worker: exponential backoff with a cap of a second makes two, a fixed
/// delay of 200 ms five. A client without any delay is held back only by the server, and makes more even of a slow one.
const SLOWED_ATTEMPTS: u64 = 5;

/// Against a persistent fault, one attempt a second and worker is all that can be useful.
const ATTEMPTS_AGAINST_PERSISTENT: u64 = 1;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some(hit) = facts.hit() else {
        return CheckResult::not_applicable("no fault was injected");
    };
    let each = if facts.is_persistent() {
        ATTEMPTS_AGAINST_PERSISTENT
    } else {
        u64::from(facts.header.budget.attempts_per_worker)
    };
    let workers = match facts.is_watched() {
        // Of an application it is known only how many connections it needs when it is well.
        true => match facts.steady.filter(|steady| steady.open > 0) {
            Some(steady) => u64::from(steady.open),
            None => return CheckResult::not_applicable("how many connections the application needs was not seen"),
        },
        // Whoever listens has a connection to come back on, too.
        false => u64::from(facts.workers()) + u64::from(facts.header.load.listen),
    };
    // To replace every connection that was lost, once, is no storm, also where there are more of them than workers.
    let spare = match facts.is_persistent() || facts.is_watched() {
        true => 0,
        false => u64::from(facts.steady.map_or(0, |steady| steady.open).saturating_sub(workers as u32)),
    };
    let slow = SLOWED_ATTEMPTS.min(each) * SLOW_WINDOW.as_secs();
    // One attempt goes through every address, until one will do.
    let places = workers * facts.header.layout.hosts.len().max(1) as u64;
    let rules = [(hit, WINDOW, each * places + spare), (hit + SLOWED_AFTER, SLOW_WINDOW, slow * places + spare)];
    let broken = rules.iter().find_map(|(since, window, limit)| {
        let worst = worst_window(facts, *since, *window)?;
        (worst.beyond > *limit).then_some((worst, *window, *limit))
    });
    let Some((worst, window, limit)) = broken else {
        return match blind(facts, hit) {
            Some(reason) => CheckResult::NotApplicable { reason },
            None => CheckResult::Pass,
        };
    };
    let length = if window == WINDOW { "one second".to_owned() } else { show(window) };
    CheckResult::of(vec![Finding {
        what: format!(
            "{} connection attempts in {length} (from {} after the fault), {} more than {}; allowed are {limit} more for \
             {workers} {}",
            worst.attempts,
            show(worst.from.saturating_sub(hit)),
            worst.beyond,
            match facts.is_watched() {
                true => format!("the {} of the steady state", worst.asked),
                false => format!("the {} operations open then", worst.asked),
            },
            match (facts.is_watched(), facts.header.load.listen) {
                (true, _) => "connections",
                (false, true) => "workers, the one that listens included",
                (false, false) => "workers",
            }
        ),
        advice: "wait between attempts: exponential backoff from some 50 ms, with full jitter and a cap".into(),
        ops: Vec::new(),
    }])
}

struct Busy {
    from: Duration,
    attempts: u64,
    /// Operations open in the same window: what the workload itself may have caused.
    asked: u64,
    beyond: u64,
}

/// The window with the most attempts beyond those that operations asked for.
fn worst_window(facts: &Facts, since: Duration, window: Duration) -> Option<Busy> {
    let mut begun: Vec<Duration> = facts.ops.iter().map(|op| op.began).collect();
    begun.sort();
    let opened = &facts.opened[facts.opened.partition_point(|at| *at < since)..];
    let attempts =
        |from: Duration| opened.partition_point(|at| *at < from + window) - opened.partition_point(|at| *at < from);
    // Also those that began earlier and were still open: an operation may connect long after it was asked for.
    let usual = facts.is_watched().then(|| usual_attempts(facts, window) as usize);
    let asked = |from: Duration| {
        if let Some(usual) = usual {
            return usual;
        }
        let over = facts.ops.partition_point(|op| op.ended.is_some_and(|ended| ended < from));
        begun.partition_point(|at| *at < from + window).saturating_sub(over)
    };
    opened
        .iter()
        .map(|from| {
            let (attempts, asked) = (attempts(*from) as u64, asked(*from) as u64);
            Busy { from: *from, attempts, asked, beyond: attempts.saturating_sub(asked) }
        })
        // Of equals the last of the reversed: the first.
        .rev()
        .max_by_key(|busy| busy.beyond)
}

/// The most attempts in such a window of the steady state: an application that connects for each request of its users does
/// what they ask of it.
fn usual_attempts(facts: &Facts, window: Duration) -> u64 {
    let (Some(since), Some(hit)) = (facts.steady_since, facts.hit()) else { return 0 };
    let from = facts.opened.partition_point(|at| *at < since);
    let to = facts.opened.partition_point(|at| *at < hit).max(from);
    peak(&facts.opened[from..to], window)
}

/// Why attempts could not be counted, if for most of the outage they were kept out: the kernel refuses, and drops SYNs,
/// without telling; and whoever has no address makes none.
fn blind(facts: &Facts, hit: Duration) -> Option<String> {
    let end = facts.healed().unwrap_or(facts.end());
    let mut refused = Duration::ZERO;
    let mut since = None;
    for (at, on) in facts.refusing.iter().chain([&(end, false)]) {
        let at = (*at).clamp(hit, end.max(hit));
        match (on, since) {
            (true, None) => since = Some(at),
            (false, Some(from)) => {
                refused += at.saturating_sub(from);
                since = None;
            }
            _ => {}
        }
    }
    let unseen = |kind| matches!(kind, FaultKind::Hang | FaultKind::WrongHost);
    let hung = facts.faults.iter().filter(|times| unseen(times.fault.kind));
    let hung = hung.filter_map(|times| Some(times.healed.unwrap_or(end).saturating_sub(times.injecting?)));
    let kept_out = refused + hung.sum::<Duration>();
    let outage = end.saturating_sub(hit);
    (kept_out > outage.saturating_sub(kept_out)).then(|| {
        format!(
            "connections were refused, left without an answer, or had no address to go to, for {} of the {} of the \
             outage, and such attempts are not counted",
            show(kept_out),
            show(outage)
        )
    })
}
