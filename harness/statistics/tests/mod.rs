//! Figures that others have computed, laws that hold for all samples, and how often an interval is wrong.
//!
//! "scipy" is SciPy 1.17, "lifelines" 0.30, for Python; each figure says which call it is of. "By hand" is a loop over
//! all ways to divide the repeats, which shares nothing with what is tested.

mod coverage;
mod properties;
mod quantiles;
mod shares;
mod shifts;
mod survivals;

use std::time::Duration;

use super::*;

/// So many milliseconds each.
fn all_recovered(times: &[u64]) -> Sample {
    Sample::new(times.iter().map(|time| Observation::Recovered(ms(*time))))
}

/// Milliseconds, and whether it was given up then.
fn with_censored(times: &[(u64, bool)]) -> Sample {
    Sample::new(times.iter().map(|(time, is_censored)| match is_censored {
        true => Observation::Censored(ms(*time)),
        false => Observation::Recovered(ms(*time)),
    }))
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= expected.abs() * 1e-9 + 1e-12, "{found}, and not {expected}");
}
