//! Compares two samples pair by pair: the Mann–Whitney test in Gehan's generalization to censored times.

use std::cmp::Ordering;

use super::normal;
use super::sample::{Observation, Sample};

/// Limit of exact counting: the number of all repeats times the number in the smaller sample. Above it a normal
/// distribution is used. At the limit (26 repeats in each sample) counting takes a debug build a tenth of a second.
pub(super) const COUNTED: usize = 1_400;

/// The result of the comparison.
pub(super) struct Ranks {
    /// Share of all pairs of a repeat before and one now in which the one now took longer; undecided pairs count half.
    pub superiority: f64,
    /// Without a difference, the probability that at least as many pairs take longer now; `sooner`: that at most as
    /// many do.
    pub later: f64,
    pub sooner: f64,
}

/// Returns 1 if `other` took longer than `one`, −1 if it took less, and 0 if they are equal or censoring hides it.
fn is_longer(one: Observation, other: Observation) -> i64 {
    use Observation::{Censored, Recovered};
    match (one, other) {
        (Recovered(one), Recovered(other)) => match other.cmp(&one) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        },
        (Recovered(one), Censored(other)) => i64::from(other >= one),
        (Censored(one), Recovered(other)) => -i64::from(one >= other),
        (Censored(_), Censored(_)) => 0,
    }
}

/// Compares the samples; neither may be empty.
///
/// *Source*: Mann & Whitney (1947); Gehan, *Biometrika* 52 (1965), with the variance of Mantel, *Biometrics* 23 (1967), which
/// without ties and without censored times is that of Mann & Whitney. The exact distribution is over all ways to divide these
/// repeats into samples of these sizes.
pub(super) fn rank(before: &Sample, now: &Sample) -> Ranks {
    let (m, n) = (before.len(), now.len());
    let all = || before.sorted().iter().chain(now.sorted());
    // For each repeat: pairs in which it took longer, minus pairs in which it took less.
    let scores: Vec<i64> = all().map(|one| all().map(|other| is_longer(*other, *one)).sum()).collect();
    // Pairs within a sample cancel each other.
    let excess: i64 = scores[m..].iter().sum();
    let (later, sooner) = if (m + n) * m.min(n) <= COUNTED {
        counted(&scores, m, n, excess)
    } else {
        let squares = scores.iter().map(|score| (score * score) as f64).sum::<f64>();
        let total = (m + n) as f64;
        let deviation = ((m * n) as f64 / total / (total - 1.0) * squares).sqrt();
        // One pair more changes the excess by two, so half a pair is one.
        let tail = |excess: i64| if deviation > 0.0 { normal::above((excess - 1) as f64 / deviation) } else { 1.0 };
        (tail(excess), tail(-excess))
    };
    let superiority = 0.5 + excess as f64 / (2 * m * n) as f64;
    Ranks { superiority, later, sooner }
}

/// Of all ways to divide the scores into two samples, the shares in which the sum of `now` is at least, and at most,
/// the observed excess.
fn counted(scores: &[i64], m: usize, n: usize, excess: i64) -> (f64, f64) {
    // The scores of both samples sum to zero, so those of the smaller one suffice.
    let (size, sign) = if m < n { (m, -1) } else { (n, 1) };
    let zero = scores.len();
    let width = 2 * zero * size + 1;
    // Number of ways by count of scores taken and by their sum; each score is shifted so that none is negative.
    let mut ways = vec![0.0; (size + 1) * width];
    ways[0] = 1.0;
    for (seen, score) in scores.iter().enumerate() {
        let score = (sign * score + zero as i64) as usize;
        for taken in (1..=size.min(seen + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(taken * width);
            let fewer = &fewer[(taken - 1) * width..];
            for sum in score..=2 * zero * taken {
                more[sum] += fewer[sum - score];
            }
        }
    }
    let sums = &ways[size * width..];
    let all: f64 = sums.iter().sum();
    let observed = (excess + (zero * size) as i64) as usize;
    (sums[observed..].iter().sum::<f64>() / all, sums[..=observed].iter().sum::<f64>() / all)
}
