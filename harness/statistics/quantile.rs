//! Quantiles of the time to recover, with confidence limits.

use super::bound::Bound;
use super::counting::{binomial_at_most, tail};
use super::sample::Sample;

/// A quantile of the time to recover, with a distribution-free confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    /// The time by which at least the given share of the repeats had recovered. Always the time of one repeat, never
    /// the mean of two.
    pub estimate: Bound,
    /// The lower limit of the true quantile; `None` if there are too few repeats.
    pub lower: Option<Bound>,
    /// The upper limit of the true quantile; `Beyond` a time if too many repeats are censored, `None` if there are
    /// too few repeats.
    pub upper: Option<Bound>,
}

/// Estimates the quantile of a sample for a `share` (0.5 is the median); `share` and `confidence` are between 0 and 1.
///
/// The limits are order statistics with binomial ranks: each is on the wrong side with a probability of at most half of one minus
/// the confidence. At 95 % a median has both limits from 6 repeats on, a 95th percentile its upper one from 72 on.
///
/// *Errors*: `None` for an empty sample, or for a share or a confidence that is not between 0 and 1.
///
/// *Source*: Hahn & Meeker, *Statistical Intervals* (1991), 5.2; Conover, *Practical Nonparametric Statistics* (1999), 3.2.
pub fn quantile(sample: &Sample, share: f64, confidence: f64) -> Option<Quantile> {
    let is_open = |x: f64| x > 0.0 && x < 1.0;
    if !is_open(share) || !is_open(confidence) {
        return None;
    }
    let n = sample.len();
    // Corrects rounding: 0.07 × 100 is 7.000000000000001.
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
