//! The times-to-recover of repeats as a sample. A censored time is a lower bound and is never averaged.

use std::time::Duration;

use super::super::cell::observation;
use super::super::text;
use crate::judge::Recovery;
use crate::statistics::Sample;

/// Confidence of the intervals in one client's picture.
pub(super) const CONFIDENCE: f64 = 0.95;

/// The measured times as a sample.
pub(super) fn sample(times: &[Recovery]) -> Sample {
    Sample::new(times.iter().filter_map(observation))
}

/// Median, 95th percentile and maximum without their names; `None` for fewer than two measured times.
pub(super) fn in_short(times: &[Recovery]) -> Option<String> {
    let sample = sample(times);
    let ranks = if sample.len() > 1 { text::ranks(&sample) } else { None };
    ranks.map(|ranks| ranks.join(" / "))
}

/// Sort key of a time, slowest last.
pub(super) fn order(time: &Recovery) -> (u8, Duration) {
    match time {
        Recovery::NotMeasured => (0, Duration::ZERO),
        Recovery::Recovered { after } => (1, *after),
        Recovery::Censored { beyond } => (2, *beyond),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_beyond_a_censored_time_are_lower_bounds() {
        let recovered = |ms| Recovery::Recovered { after: Duration::from_millis(ms) };
        let censored = |secs| Recovery::Censored { beyond: Duration::from_secs(secs) };
        let times = [recovered(300), censored(60), recovered(200), recovered(100)];
        assert_eq!(in_short(&times).unwrap(), "200 ms / > 60.0 s / > 60.0 s");
        assert_eq!(in_short(&times[..1]), None);
        assert_eq!(in_short(&[recovered(5), Recovery::NotMeasured]), None);
        assert_eq!(in_short(&[Recovery::NotMeasured, Recovery::NotMeasured]), None);
    }
}
