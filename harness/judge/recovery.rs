//! When a client has recovered: the definition, used by the judge and by the run that waits for it.

use std::time::Duration;

use super::facts::{Facts, is_ok};

/// The instant from which the client counts as recovered; `None` while it does not.
///
/// Every worker has succeeded with an operation begun after the last fault; the instant is the success of the last
/// worker to do so. From there on, for the stability window, nothing fails and every worker goes on succeeding: the
/// window is complete only when each of them has succeeded beyond its end, so that none can have died within it. A
/// failure before that starts the search anew, and so does an operation that alone takes longer than the window.
///
/// Where recovery is timed from the injection, the instant may lie before the heal; the window then lasts until one
/// whole stability window after the heal, since a fault that is still in force may yet have its effect.
///
/// Once there is such an instant, nothing that happens later changes it.
pub(crate) fn recovered_at(facts: &Facts) -> Option<Duration> {
    *facts.recovered.get_or_init(|| search(facts))
}

fn search(facts: &Facts) -> Option<Duration> {
    let (starts, fault, healed) = (facts.recovery_starts()?, facts.last_injection()?, facts.healed()?);
    let stability = facts.header.budget.stability;
    let workers = facts.workers() as usize;

    // Which workers have succeeded, and which of them beyond the window.
    let (mut back, mut beyond) = (Tally::new(workers), Tally::new(workers));
    let mut window: Option<(Duration, Duration)> = None;
    for op in facts.answered_since(starts) {
        let Some(ended) = op.ended else { continue };
        let worker = op.worker as usize;
        // An application may have statements that take long at any time.
        let stalled = !facts.is_watched() && back.has(worker) && ended.saturating_sub(op.began) > stability;
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

/// A set of workers that knows when it holds all of them.
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

    /// Whether every worker is in it; never true of no workers at all, for nobody has shown anything.
    fn is_full(&self) -> bool {
        self.missing == 0 && !self.seen.is_empty()
    }
}
