//! The shift of recovery times between two samples, and the probability that it is chance.

use super::counting::{orders, tail};
use super::difference::{Delay, Difference};
use super::normal;
use super::ranks::{COUNTED, Ranks, rank};
use super::sample::{Observation, Sample};

/// The delay of recovery now compared with before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The median of the differences of all pairs of a repeat before and one now (Hodges–Lehmann estimate). A range if too many
    /// repeats are censored, because the difference of a pair with a censored repeat has only one known limit.
    pub estimate: Difference,
    /// The confidence interval of the shift; it contains the estimate.
    pub interval: Difference,
    /// The probability that a run now takes longer than a run before; 0.5 without a difference. The measure *A* of Vargha and
    /// Delaney; undecided pairs count half.
    pub superiority: f64,
    /// One-sided p-value: the probability of pairs at least as late if there is no difference.
    pub later: f64,
    /// One-sided p-value: the probability of pairs at least as early if there is no difference.
    pub sooner: f64,
    /// Two-sided p-value: twice the smaller of `later` and `sooner`.
    pub either: f64,
}

/// Compares two samples, with a `confidence` between 0 and 1.
///
/// Deterministic: no resampling. The interval inverts the test: without ties and censored repeats it excludes zero
/// exactly if `either` is at most one minus the confidence; ties and censored repeats only widen it. Above 26 repeats
/// in each sample interval and test use a normal distribution instead of exact counting.
///
/// *Errors*: `None` if either sample is too small for this confidence ([`least_repeats`]), or if the confidence is not
/// between 0 and 1.
///
/// *Source*: Hodges & Lehmann, *Annals of Mathematical Statistics* 34 (1963); Conover (1999), 5.4; Hollander, Wolfe & Chicken,
/// *Nonparametric Statistical Methods* (2014), 4.2 and 4.3; Vargha & Delaney, *Journal of Educational and Behavioral
/// Statistics* 25 (2000).
pub fn shift(before: &Sample, now: &Sample, confidence: f64) -> Option<Shift> {
    let rank_of_lower = rank_of_lower(before.len(), now.len(), confidence)?;
    let pairs = || now.sorted().iter().flat_map(|now| before.sorted().iter().map(move |before| (before, now)));
    // Unknown limits sort to the outer side: before the least, after the most.
    let mut least: Vec<Option<Delay>> = pairs().map(|(before, now)| at_least(*before, *now)).collect();
    let mut most: Vec<(bool, Option<Delay>)> =
        pairs().map(|(before, now)| at_most(*before, *now)).map(|most| (most.is_none(), most)).collect();
    least.sort_unstable();
    most.sort_unstable();
    let last = least.len() - 1;
    let halfway = |one: Option<Delay>, other: Option<Delay>| Some(one?.halfway(other?));
    let estimate = Difference {
        at_least: halfway(least[last / 2], least[last.div_ceil(2)]),
        at_most: halfway(most[last / 2].1, most[last.div_ceil(2)].1),
    };
    let interval = Difference { at_least: least[rank_of_lower - 1], at_most: most[last + 1 - rank_of_lower].1 };
    let Ranks { superiority, later, sooner } = rank(before, now);
    let either = (2.0 * later.min(sooner)).min(1.0);
    Some(Shift { estimate, interval, superiority, later, sooner, either })
}

/// Repeats that both samples need for [`shift`] at this confidence: 4 at 95 %, 5 at 99 %.
///
/// *Errors*: `None` for a confidence that is not between 0 and 1.
pub fn least_repeats(confidence: f64) -> Option<usize> {
    (confidence > 0.0 && confidence < 1.0).then_some(())?;
    (1..=COUNTED).find(|repeats| rank_of_lower(*repeats, *repeats, confidence).is_some())
}

/// The least delay of `now`; `None` if `before` is censored, because its time has no upper bound.
fn at_least(before: Observation, now: Observation) -> Option<Delay> {
    (!before.is_censored()).then(|| Delay::between(before.time(), now.time()))
}

/// The largest delay of `now`; `None` if `now` is censored, because its time has no upper bound.
fn at_most(before: Observation, now: Observation) -> Option<Delay> {
    (!now.is_censored()).then(|| Delay::between(before.time(), now.time()))
}

/// The rank, from 1, of the difference that is the lower limit: the largest rank for which the limit exceeds the true
/// shift with a probability of at most half of one minus the confidence. `None` if the first rank already exceeds
/// that probability.
fn rank_of_lower(m: usize, n: usize, confidence: f64) -> Option<usize> {
    if m == 0 || n == 0 || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let tail = tail(confidence);
    let rank = if (m + n) * m.min(n) <= COUNTED {
        let ways = orders(m, n);
        let all = ways.iter().sum::<i64>() as f64;
        let mut sum = 0;
        let at_most = ways.iter().map(|ways| {
            sum += ways;
            sum as f64 / all
        });
        at_most.take_while(|chance| *chance <= tail).count()
    } else {
        let (m, n) = (m as f64, n as f64);
        let deviation = (m * n * (m + n + 1.0) / 12.0).sqrt();
        (m * n / 2.0 + 0.5 + normal::quantile(tail) * deviation).max(0.0) as usize
    };
    (rank > 0).then_some(rank)
}
