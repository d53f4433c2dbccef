//! The times-to-recover of repeats by rank. Those that were cut off count as longer than all others, and are never
//! averaged.

use crate::judge::Recovery;
use crate::report::text::recovery;

/// Median, 95th percentile and maximum, in words; `None` where nothing was measured, or once only.
pub(super) fn in_words(times: &[Recovery]) -> Option<String> {
    let [median, most, slowest] = ranks(times)?;
    Some(format!("p50 {median}, p95 {most}, max {slowest}"))
}

/// The same three, without their names.
pub(super) fn in_short(times: &[Recovery]) -> Option<String> {
    ranks(times).map(|ranks| ranks.join(" / "))
}

fn ranks(times: &[Recovery]) -> Option<[String; 3]> {
    let at = |share| at(times, share).map(|time| recovery(&time));
    if times.len() > 1 { Some([at(0.5)?, at(0.95)?, at(1.0)?]) } else { None }
}

/// The time that this share of the runs does not exceed.
fn at(times: &[Recovery], share: f64) -> Option<Recovery> {
    let mut sorted: Vec<_> =
        times.iter().filter(|time| !matches!(time, Recovery::NotMeasured)).map(|time| (order(time), *time)).collect();
    sorted.sort_by_key(|(order, _)| *order);
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    let (_, found) = sorted.get(rank.max(1) - 1)?;
    match found {
        // All that is known of a rank among those that were cut off is that it lies beyond the first of them.
        Recovery::Censored { .. } => {
            sorted.iter().map(|(_, time)| *time).find(|time| matches!(time, Recovery::Censored { .. }))
        }
        other => Some(*other),
    }
}

/// What a time is sorted by.
pub(super) fn order(time: &Recovery) -> (u8, std::time::Duration) {
    match time {
        Recovery::NotMeasured => (0, std::time::Duration::ZERO),
        Recovery::Recovered { after } => (1, *after),
        Recovery::Censored { beyond } => (2, *beyond),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ranks_count_what_was_cut_off_as_longer_than_all_others() {
        let recovered = |ms| Recovery::Recovered { after: Duration::from_millis(ms) };
        let censored = |secs| Recovery::Censored { beyond: Duration::from_secs(secs) };
        let times = [recovered(300), censored(60), recovered(200), recovered(100)];
        assert_eq!(in_words(&times).unwrap(), "p50 200 ms, p95 > 60.0 s, max > 60.0 s");
        assert_eq!(in_words(&[censored(20), censored(60)]).unwrap(), "p50 > 20.0 s, p95 > 20.0 s, max > 20.0 s");
        assert_eq!(in_words(&[recovered(5)]), None);
        assert_eq!(in_words(&[Recovery::NotMeasured, Recovery::NotMeasured]), None);
    }
}
