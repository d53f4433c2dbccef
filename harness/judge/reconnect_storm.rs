//! *reconnect storm*: a client in trouble does not hammer the server.

use std::time::Duration;

use super::facts::Facts;
use super::verdict::{CheckResult, Finding};
use crate::time::show;

/// Attempts are counted over windows of this length.
const WINDOW: Duration = Duration::from_secs(1);

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
    let limit = each * u64::from(facts.workers());
    let Some(worst) = worst_window(facts, hit).filter(|worst| worst.beyond > limit) else {
        return CheckResult::Pass;
    };
    CheckResult::of(vec![Finding {
        what: format!(
            "{} connection attempts in one second (from {} after the fault), {} more than the {} operations begun then; \
             allowed are {limit} more for {} workers",
            worst.attempts,
            show(worst.from.saturating_sub(hit)),
            worst.beyond,
            worst.asked,
            facts.workers()
        ),
        advice: "wait between attempts: exponential backoff from some 50 ms, with full jitter and a cap".into(),
        ops: Vec::new(),
    }])
}

struct Busy {
    from: Duration,
    attempts: u64,
    /// Operations begun in the same second: what the workload itself may have caused.
    asked: u64,
    beyond: u64,
}

/// The second with the most attempts beyond those that operations asked for.
fn worst_window(facts: &Facts, hit: Duration) -> Option<Busy> {
    let mut begun: Vec<Duration> = facts.ops.iter().map(|op| op.began).collect();
    begun.sort_unstable();
    let opened = &facts.opened[facts.opened.partition_point(|at| *at < hit)..];
    let in_window = |instants: &[Duration], from: Duration| {
        (instants.partition_point(|at| *at < from + WINDOW) - instants.partition_point(|at| *at < from)) as u64
    };
    opened
        .iter()
        .map(|from| {
            let (attempts, asked) = (in_window(opened, *from), in_window(&begun, *from));
            Busy { from: *from, attempts, asked, beyond: attempts.saturating_sub(asked) }
        })
        .max_by_key(|busy| busy.beyond)
}
