//! Compares figures with those of other implementations, and tests properties of all samples and the error rate of
//! intervals.
//!
//! "scipy" is SciPy 1.17, "lifelines" is lifelines 0.30, for Python; a comment names the call that computed each
//! figure. "By hand" is a loop over all ways to divide the repeats, which shares no code with the function under
//! test.

mod coverage;
mod properties;
mod quantiles;
mod shares;
mod shifts;
mod survivals;

use std::time::Duration;

use super::*;

/// A sample of repeats that recovered after these times, in milliseconds.
fn all_recovered(times: &[u64]) -> Sample {
    Sample::new(times.iter().map(|time| Observation::Recovered(ms(*time))))
}

/// A sample of repeats: time in milliseconds, and whether the repeat was censored then.
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
