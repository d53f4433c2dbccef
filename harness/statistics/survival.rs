//! The share of clients that have not recovered, over time, from censored samples.

use std::time::Duration;

use super::normal;
use super::sample::Sample;

/// The share of clients that have not yet recovered: the Kaplan–Meier estimate.
///
/// *Source*: Kaplan & Meier, *Journal of the American Statistical Association* 53 (1958); the band by Greenwood's variance of
/// log(−log S), as in Kalbfleisch & Prentice, *The Statistical Analysis of Failure Time Data* (2002), 1.4.
#[derive(Clone, Debug, PartialEq)]
pub struct Survival {
    confidence: f64,
    steps: Vec<Step>,
    /// All times, ascending, recovered or not.
    times: Vec<Duration>,
    /// Whether the repeat with the longest time recovered.
    is_complete: bool,
}

/// One time at which clients recovered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Time after the start.
    pub at: Duration,
    /// Number of clients that were still observed, and had not recovered, just before.
    pub at_risk: usize,
    /// How many of these recovered at this time.
    pub recovered: usize,
    /// The share that has not recovered from then on.
    pub left: Share,
}

/// A share of the clients, from 0 to 1, with its confidence band. The band is *pointwise*: it holds for each time separately, not
/// for all times at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    pub estimate: f64,
    pub lower: f64,
    pub upper: f64,
}

impl Survival {
    /// Estimates the survival from a sample; the `confidence` of its band is between 0 and 1.
    ///
    /// *Errors*: `None` for an empty sample, or for a confidence that is not between 0 and 1.
    pub fn of(sample: &Sample, confidence: f64) -> Option<Survival> {
        if sample.is_empty() || !(confidence > 0.0 && confidence < 1.0) {
            return None;
        }
        let all = sample.sorted();
        let tail = (1.0 - confidence) / 2.0;
        let z = -normal::quantile(tail);
        let mut steps: Vec<Step> = Vec::new();
        let (mut estimate, mut variance) = (1.0, 0.0);
        for same in all.chunk_by(|one, next| one.time() == next.time()) {
            let at = same[0].time();
            let recovered = same.iter().filter(|observation| !observation.is_censored()).count();
            let at_risk = all.len() - all.partition_point(|observation| observation.time() < at);
            if recovered == 0 {
                continue;
            }
            let left = (at_risk - recovered) as f64;
            estimate *= left / at_risk as f64;
            variance += recovered as f64 / (at_risk as f64 * left);
            let left = if estimate > 0.0 {
                let width = z * variance.sqrt() / f64::ln(estimate);
                Share { estimate, lower: estimate.powf((-width).exp()), upper: estimate.powf(width.exp()) }
            } else {
                // The variance is undefined here. The previous upper limit still holds; if all n recovered at once, the limit is
                // that of a share with 0 of n observed (Clopper & Pearson).
                let upper = steps.last().map_or(1.0 - tail.powf(1.0 / at_risk as f64), |step| step.left.upper);
                Share { estimate, lower: 0.0, upper }
            };
            steps.push(Step { at, at_risk, recovered, left });
        }
        let times = all.iter().map(|observation| observation.time()).collect();
        let is_complete = all.last().is_some_and(|longest| !longest.is_censored());
        Some(Survival { confidence, steps, times, is_complete })
    }

    /// The times at which the share falls, ascending.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The share that has not yet recovered after this long.
    ///
    /// *Errors*: `None` for a time longer than every observation, unless the longest one ended with a recovery.
    pub fn not_recovered_at(&self, time: Duration) -> Option<Share> {
        if !self.is_complete && Some(&time) > self.times.last() {
            return None;
        }
        let count = self.steps.partition_point(|step| step.at <= time);
        match count.checked_sub(1) {
            Some(last) => Some(self.steps[last].left),
            // No observed client has recovered yet: the lower limit is that of Clopper & Pearson.
            None => {
                let watched = self.times.len() - self.times.partition_point(|at| *at < time);
                let lower = ((1.0 - self.confidence) / 2.0).powf(1.0 / watched.max(1) as f64);
                Some(Share { estimate: 1.0, lower, upper: 1.0 })
            }
        }
    }

    /// The share that has recovered after this long; *errors* as [`not_recovered_at`](Survival::not_recovered_at).
    pub fn recovered_at(&self, time: Duration) -> Option<Share> {
        let left = self.not_recovered_at(time)?;
        Some(Share { estimate: 1.0 - left.estimate, lower: 1.0 - left.upper, upper: 1.0 - left.lower })
    }
}
