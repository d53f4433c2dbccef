//! Exact probabilities by counting: binomial distribution and orders of two samples.

/// Probability with which each of two limits may be wrong: half of one minus the confidence.
pub(super) fn tail(confidence: f64) -> f64 {
    // Corrects rounding: a confidence of 0.9 must leave no less than 0.05 on either side.
    (1.0 - confidence) / 2.0 + 1e-12
}

/// The natural logarithms of 0!, 1!, … `most`!.
pub(super) fn ln_factorials(most: u64) -> Vec<f64> {
    let mut sum = 0.0;
    let rest = (1..=most).map(|k| {
        sum += (k as f64).ln();
        sum
    });
    std::iter::once(0.0).chain(rest).collect()
}

/// The probabilities that of `n` independent trials with success probability `share` at most 0, 1, … `n` succeed.
pub(super) fn binomial_at_most(n: usize, share: f64) -> Vec<f64> {
    let ln = ln_factorials(n as u64);
    let chance = |k: usize| {
        let ways = ln[n] - ln[k] - ln[n - k];
        (ways + k as f64 * share.ln() + (n - k) as f64 * (-share).ln_1p()).exp()
    };
    let mut sum = 0.0;
    let sums = (0..=n).map(|k| {
        sum += chance(k);
        sum
    });
    sums.collect()
}

/// The number of orders of `m` values of one sample and `n` of another in which 0, 1, … `m * n` pairs are inverted: the
/// distribution of the Mann–Whitney statistic without ties.
///
/// *Source*: the coefficients of the Gaussian binomial coefficient; Mann & Whitney, *Annals of Mathematical Statistics* 18
/// (1947). They fit 64 bits for all sizes within [`COUNTED`](super::ranks::COUNTED): there are at most 1.6e17 orders.
pub(super) fn orders(m: usize, n: usize) -> Vec<i64> {
    let mut ways = vec![0; m * n + 1];
    ways[0] = 1;
    for i in 1..=m {
        // Multiplied by (1 − q^(n+i)) and divided by (1 − q^i), which leaves no remainder.
        for pairs in (n + i..ways.len()).rev() {
            ways[pairs] -= ways[pairs - n - i];
        }
        for pairs in i..ways.len() {
            ways[pairs] += ways[pairs - i];
        }
    }
    ways
}
