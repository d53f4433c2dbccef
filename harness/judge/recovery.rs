//! When a client has recovered: the definition, used by the judge and by the run that waits for it.

use std::time::Duration;

use super::facts::{Facts, is_ok};

/// The instant from which the client counts as recovered; `None` while it does not.
///
/// Every worker has succeeded with an operation begun after the fault; the instant is the success of the last worker to
/// do so. From there on, for the stability window, nothing fails and every worker goes on succeeding. A failure in
/// between starts the search anew.
pub(crate) fn recovered_at(facts: &Facts) -> Option<Duration> {
    let starts = facts.recovery_starts()?;
    let fault = facts.faults.iter().filter_map(|fault| fault.injecting).max()?;
    let stability = facts.header.budget.stability;
    let workers = facts.workers() as usize;

    let mut first = vec![None; workers];
    let mut latest = vec![Duration::ZERO; workers];
    for op in facts.answered_since(starts) {
        let Some(ended) = op.ended else { continue };
        if let Some(stable) = stable_from(&first, stability, ended)
            && latest.iter().all(|latest| *latest > stable)
        {
            return Some(stable);
        }
        let worker = op.worker as usize;
        if !is_ok(op) {
            first.fill(None);
        } else if worker < workers && op.began >= fault {
            first[worker].get_or_insert(ended);
            latest[worker] = ended;
        }
    }
    let stable = stable_from(&first, stability, facts.end())?;
    // With a single worker its first success is also the instant itself: it must have gone on since.
    latest.iter().all(|latest| *latest > stable).then_some(stable)
}

/// The instant at which the last worker had its first success, if a whole window has passed since.
fn stable_from(first: &[Option<Duration>], stability: Duration, now: Duration) -> Option<Duration> {
    let last = first.iter().copied().collect::<Option<Vec<_>>>()?.into_iter().max()?;
    (now >= last + stability).then_some(last)
}
