//! Chances that are counted: how many of so many, and in how many ways.

/// How often each of two limits may be wrong: half of what the confidence, between 0 and 1, leaves.
pub(super) fn tail(confidence: f64) -> f64 {
    // What is right to the last digit is right: 0.9 leaves 0.05 to either side, and not a bit less.
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

/// The chances that of `n` independent tries, each of which comes off with probability `share`, at most 0, 1, … `n` come off.
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

/// In how many ways `m` things and `n` others can be put in a row so that 0, 1, … `m * n` pairs of one and another stand in
/// the wrong order: the distribution of the Mann–Whitney statistic, where no two values are equal.
///
/// *Source*: the coefficients of the Gaussian binomial coefficient; Mann & Whitney, *Annals of Mathematical Statistics* 18
/// (1947). They are exact while `m * n` is no more than 400.
pub(super) fn orders(m: usize, n: usize) -> Vec<i64> {
    let mut ways = vec![0; m * n + 1];
    ways[0] = 1;
    for i in 1..=m {
        // Times (1 − q^(n+i)), and divided by (1 − q^i), which leaves no rest.
        for pairs in (n + i..ways.len()).rev() {
            ways[pairs] -= ways[pairs - n - i];
        }
        for pairs in i..ways.len() {
            ways[pairs] += ways[pairs - i];
        }
    }
    ways
}
