//! Tail and quantile of the normal distribution.

use std::f64::consts::{PI, SQRT_2};

/// The share of a standard normal distribution that lies above `z`, to 14 digits.
///
/// *Source*: Abramowitz & Stegun, *Handbook of Mathematical Functions* (1964), 7.1.6 near the middle, and the continued
/// fraction 7.1.14 in the tails.
pub(super) fn above(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    let tail = if x < 2.0 {
        let (mut term, mut sum) = (x, x);
        let mut odd = 1.0;
        while term > sum * 1e-17 {
            odd += 2.0;
            term *= 2.0 * x * x / odd;
            sum += term;
        }
        0.5 - sum * (-x * x).exp() / PI.sqrt()
    } else {
        let fraction = (1..=120).rev().fold(x, |below, k| x + f64::from(k) / 2.0 / below);
        (-x * x).exp() / (2.0 * PI.sqrt() * fraction)
    };
    if z < 0.0 { 1.0 - tail } else { tail }
}

/// The quantile of the standard normal distribution for a probability between 0 and 1.
pub(super) fn quantile(probability: f64) -> f64 {
    // Computed from the smaller tail, which keeps its digits.
    let tail = probability.min(1.0 - probability);
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if above(middle) > tail { low = middle } else { high = middle }
    }
    if probability < 0.5 { -low } else { low }
}
