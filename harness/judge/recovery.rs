//! Definition of recovery, used by the judge and by the run that waits for it.
//!
//! The time-to-recover ends at the last worker's first success, if a whole stability window without failure follows.
//! A user would call the client recovered at that instant, and it does not depend on the length of the window.

use std::time::Duration;

use super::facts::{Facts, is_ok};

/// The instant from which the client counts as recovered; `None` if it has not recovered.
///
/// Every worker has succeeded with an operation begun after the last injection; the instant is the first success of
/// the last worker. During the stability window from there on, no operation fails and every worker continues to
/// succeed: the window is complete only when each worker has succeeded beyond its end, so no worker can have died
/// within it. A failure before that restarts the search, as does an operation that takes longer than the window on a
/// worker that had succeeded (except for a black-box application).
///
/// If recovery is timed from the injection, the instant may lie before the heal; the window then lasts until one
/// whole stability window after the heal, because a fault in force may still affect the client.
///
/// Later events never change the instant.
pub(crate) fn recovered_at(facts: &Facts) -> Option<Duration> {
    *facts.recovered.get_or_init(|| search(facts))
}

fn search(facts: &Facts) -> Option<Duration> {
    let (starts, fault, healed) = (facts.recovery_starts()?, facts.last_injection()?, facts.healed()?);
    let stability = facts.header.budget.stability;
    let workers = facts.workers() as usize;

    // Workers that have succeeded, and workers that have succeeded beyond the window.
    let (mut back, mut beyond) = (Tally::new(workers), Tally::new(workers));
    let mut window: Option<(Duration, Duration)> = None;
    for op in facts.answered_since(starts) {
        let Some(ended) = op.ended else { continue };
        let worker = op.worker as usize;
        // An application may have long statements at any time.
        let stalled = !facts.is_black_box() && back.has(worker) && ended.saturating_sub(op.began) > stability;
        if !is_ok(op) || stalled {
            back.clear();
            beyond.clear();
            window = None;
        }
        if !is_ok(op) || op.began < fault {
            continue;
        }
        back.add(worker);
        match window {
            None if back.is_full() => window = Some((ended, ended.max(healed) + stability)),
            Some((recovered, until)) if ended >= until => {
                beyond.add(worker);
                if beyond.is_full() {
                    return Some(recovered);
                }
            }
            _ => {}
        }
    }
    None
}

/// A set of workers, with the number of those missing.
struct Tally {
    seen: Vec<bool>,
    missing: usize,
}

impl Tally {
    fn new(workers: usize) -> Tally {
        Tally { seen: vec![false; workers], missing: workers }
    }

    fn has(&self, worker: usize) -> bool {
        self.seen.get(worker).is_some_and(|seen| *seen)
    }

    fn add(&mut self, worker: usize) {
        if let Some(seen) = self.seen.get_mut(worker)
            && !std::mem::replace(seen, true)
        {
            self.missing -= 1;
        }
    }

    fn clear(&mut self) {
        if self.missing < self.seen.len() {
            self.seen.fill(false);
            self.missing = self.seen.len();
        }
    }

    /// Whether every worker is in the set; false if there are no workers, because then none has succeeded.
    fn is_full(&self) -> bool {
        self.missing == 0 && !self.seen.is_empty()
    }
}
