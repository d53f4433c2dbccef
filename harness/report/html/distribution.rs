//! The times-to-recover of repeats, taken together. Those that were cut off are longer than they were watched, and are never
//! averaged.

use std::time::Duration;

use super::super::cell::observation;
use super::super::text;
use crate::judge::Recovery;
use crate::statistics::Sample;

/// Of the intervals of one client's times.
pub(super) const CONFIDENCE: f64 = 0.95;

/// The times that were measured.
pub(super) fn sample(times: &[Recovery]) -> Sample {
    Sample::new(times.iter().filter_map(observation))
}

/// Median, 95th percentile and maximum, without their names; `None` where nothing was measured, or once only.
pub(super) fn in_short(times: &[Recovery]) -> Option<String> {
    let sample = sample(times);
    let ranks = if sample.len() > 1 { text::ranks(&sample) } else { None };
    ranks.map(|ranks| ranks.join(" / "))
}

/// What a time is sorted by, slowest last.
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
    fn ranks_beyond_what_was_cut_off_are_told_as_beyond_it() {
        let recovered = |ms| Recovery::Recovered { after: Duration::from_millis(ms) };
        let censored = |secs| Recovery::Censored { beyond: Duration::from_secs(secs) };
        let times = [recovered(300), censored(60), recovered(200), recovered(100)];
        assert_eq!(in_short(&times).unwrap(), "200 ms / > 60.0 s / > 60.0 s");
        assert_eq!(in_short(&times[..1]), None);
        assert_eq!(in_short(&[recovered(5), Recovery::NotMeasured]), None);
        assert_eq!(in_short(&[Recovery::NotMeasured, Recovery::NotMeasured]), None);
    }
}
