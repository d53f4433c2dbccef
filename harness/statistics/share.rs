//! Tests whether runs fail more often than before.

use super::counting::ln_factorials;

/// Failed runs, and all runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    pub failed: u64,
    pub of: u64,
}

/// The probability of at least as many failures in `now` if its runs fail no more often than those of `before`: Fisher's exact
/// test, one-sided. A small value means that chance does not explain the failures.
///
/// *Errors*: `None` if `failed` exceeds `of` in either argument.
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
    // `now` has at least the failures that exceed the runs of `before`.
    let least = now.failed.max(failed.saturating_sub(before.of));
    Some((least..=failed.min(now.of)).map(chance).sum::<f64>().min(1.0))
}
