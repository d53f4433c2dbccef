//! How long it takes at most in a given share of the cases, and how well that is known.

use super::bound::Bound;
use super::counting::{binomial_at_most, tail};
use super::sample::Sample;

/// A quantile of the time to recover, with a confidence interval that supposes nothing of the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    /// The time by which at least the given share of the repeats had recovered: no mean of two, so that it is one of them.
    pub estimate: Bound,
    /// What the true quantile is at least, in both cases; `None` where there are too few repeats to say.
    pub lower: Option<Bound>,
    /// What it is at most, where it is known. Beyond a time means that there are repeats enough for a limit, and that too many
    /// of them did not recover. `None` where there are too few repeats to say.
    pub upper: Option<Bound>,
}

/// Estimates the quantile of this `share` of a sample, both its `confidence` and its share between 0 and 1 (0.5 is the median).
///
/// The limits are order statistics, whose ranks are binomial: each of them is on the wrong side with a probability of no more
/// than half of what the confidence leaves. At 95 % a median has both with 6 repeats, a 95th percentile its upper one with 72.
///
/// *Errors*: `None` for an empty sample, and for a share or a confidence that is not between 0 and 1.
///
/// *Source*: Hahn & Meeker, *Statistical Intervals* (1991), 5.2; Conover, *Practical Nonparametric Statistics* (1999), 3.2.
pub fn quantile(sample: &Sample, share: f64, confidence: f64) -> Option<Quantile> {
    let is_open = |x: f64| x > 0.0 && x < 1.0;
    if !is_open(share) || !is_open(confidence) {
        return None;
    }
    let n = sample.len();
    // 0.07 of 100 is 7.000000000000001.
    let rank = (share * n as f64 - 1e-9).ceil().max(1.0) as usize;
    let estimate = sample.ranked(rank)?;
    let tail = tail(confidence);
    let at_most = binomial_at_most(n, share);
    // The value of rank k lies above the quantile if fewer than k lie below it, and below it if k or more do.
    let lower = (1..=n).take_while(|rank| at_most[rank - 1] <= tail).last();
    let upper = (1..=n).find(|rank| 1.0 - at_most[rank - 1] <= tail);
    let limit = |rank| sample.at_most(rank).map(Bound::Known).or_else(|| sample.ranked(rank));
    Some(Quantile { estimate, lower: lower.and_then(|rank| sample.ranked(rank)), upper: upper.and_then(limit) })
}
