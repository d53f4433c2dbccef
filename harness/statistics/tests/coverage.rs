//! How often an interval is wrong: as often as it says.

use rand::RngExt;

use super::*;
use crate::model::seed::Seed;

/// In how many of so many comparisons of two samples of one distribution, ten repeats each, the interval leaves out that there
/// is no difference. As recovery times are: a wait of up to a second, and for one in three another one of two.
fn wrong(comparisons: usize, confidence: f64, given_up_after: u64) -> usize {
    let mut rng = Seed(1).rng();
    let mut sample = || {
        let repeats: Vec<_> = (0..10)
            .map(|_| {
                let again = if rng.random_range(0..3) == 0 { rng.random_range(0..2_000_000) } else { 0 };
                let micros: u64 = rng.random_range(0..1_000_000) + again;
                if micros > given_up_after {
                    Observation::Censored(Duration::from_micros(given_up_after))
                } else {
                    Observation::Recovered(Duration::from_micros(micros))
                }
            })
            .collect();
        Sample::new(repeats)
    };
    let mut wrong = 0;
    for _ in 0..comparisons {
        let found = shift(&sample(), &sample(), confidence).unwrap();
        wrong += usize::from(!found.interval.includes_none());
        // The interval and the test are one thing; what was given up leaves the interval the more careful one.
        let (is_told, is_left_out) = (found.either <= 1.0 - confidence, !found.interval.includes_none());
        assert!(is_told == is_left_out || is_told && given_up_after != u64::MAX, "{found:?}");
    }
    wrong
}

#[test]
fn no_difference_is_left_out_as_often_as_the_confidence_says() {
    // Of ten and ten repeats a test that counts can spend 0.89 of 1 %, and 4.33 of 5 %: three deviations to either side.
    let (at_99, at_95) = (wrong(800, 0.99, u64::MAX), wrong(400, 0.95, u64::MAX));
    assert!((1..=15).contains(&at_99), "{at_99} of 800 at 99 %");
    assert!((5..=29).contains(&at_95), "{at_95} of 400 at 95 %");
}

#[test]
fn what_was_given_up_makes_it_no_more_often_wrong() {
    let wrong = wrong(400, 0.95, 800_000);
    assert!(wrong <= 29, "{wrong} of 400 at 95 %");
}
