//! Whether runs fail more often than they did.

use super::counting::ln_factorials;

/// How many of so many runs failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    pub failed: u64,
    pub of: u64,
}

/// The probability that at least so many of all failures would be among the runs of `now`, if these fail no more often than
/// those of `before` did: Fisher's exact test, one-sided. The smaller, the less it is chance.
///
/// *Errors*: `None` where more failed than ran.
///
/// *Source*: Fisher, *Statistical Methods for Research Workers* (1934), 21.02; Conover (1999), 4.1.
pub fn fail_more_often(before: Failures, now: Failures) -> Option<f64> {
    if before.failed > before.of || now.failed > now.of {
        return None;
    }
    let (all, failed) = (before.of + now.of, before.failed + now.failed);
    let ln = ln_factorials(all);
    let ways = |of: u64, some: u64| ln[of as usize] - ln[some as usize] - ln[(of - some) as usize];
    let chance = |k: u64| (ways(now.of, k) + ways(before.of, failed - k) - ways(all, failed)).exp();
    // No fewer than cannot all have been before.
    let least = now.failed.max(failed.saturating_sub(before.of));
    Some((least..=failed.min(now.of)).map(chance).sum::<f64>().min(1.0))
}
