//! Properties that hold for all samples.

use proptest::prelude::*;

use super::*;

/// Repeats in milliseconds, a fifth of them censored, in a narrow range so that some are equal.
fn repeats(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(u64, bool)>> {
    prop::collection::vec((1_000..1_060_u64, prop::bool::weighted(0.2)), sizes)
}

/// Times of repeats without censoring, in milliseconds.
fn whole(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(1_000..1_060_u64, sizes)
}

fn turned(difference: Difference) -> Difference {
    let turn = |delay: Delay| match delay.nanos() < 0 {
        true => Delay::between(Duration::ZERO, delay.magnitude()),
        false => Delay::between(delay.magnitude(), Duration::ZERO),
    };
    Difference { at_least: difference.at_most.map(turn), at_most: difference.at_least.map(turn) }
}

/// The limits in nanoseconds; a missing lower limit is the smallest number, a missing upper limit the largest.
fn ends(difference: Difference) -> (i64, i64) {
    (
        difference.at_least.map_or(i64::MIN, |delay| delay.nanos()),
        difference.at_most.map_or(i64::MAX, |delay| delay.nanos()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn swapped_samples_are_as_much_sooner(one in repeats(4..12), other in repeats(4..12)) {
        let (one, other) = (with_censored(&one), with_censored(&other));
        let (found, back) = (shift(&one, &other, 0.95).unwrap(), shift(&other, &one, 0.95).unwrap());
        prop_assert_eq!(found.estimate, turned(back.estimate));
        prop_assert_eq!(found.interval, turned(back.interval));
        prop_assert!((found.superiority + back.superiority - 1.0).abs() < 1e-12);
        prop_assert!((found.later - back.sooner).abs() < 1e-12 && (found.either - back.either).abs() < 1e-12);
    }

    #[test]
    fn the_order_of_repeats_says_nothing(one in repeats(4..12), other in repeats(4..12)) {
        let turned: Vec<_> = one.iter().rev().copied().collect();
        prop_assert_eq!(with_censored(&one), with_censored(&turned));
        let other = with_censored(&other);
        prop_assert_eq!(shift(&with_censored(&one), &other, 0.9), shift(&with_censored(&turned), &other, 0.9));
    }

    #[test]
    fn what_all_take_longer_is_added(one in repeats(4..12), other in repeats(4..12), more in 0..50_000_u64) {
        let longer: Vec<_> = other.iter().map(|(time, is_censored)| (time + more, *is_censored)).collect();
        let one = with_censored(&one);
        let found = shift(&one, &with_censored(&other), 0.95).unwrap();
        let then = shift(&one, &with_censored(&longer), 0.95).unwrap();
        let added = |delay: Option<Delay>| delay.map(|delay| delay.nanos() + more as i64 * 1_000_000);
        for (found, then) in [(found.estimate, then.estimate), (found.interval, then.interval)] {
            prop_assert_eq!(added(found.at_least), then.at_least.map(Delay::nanos));
            prop_assert_eq!(added(found.at_most), then.at_most.map(Delay::nanos));
        }
        prop_assert!(then.superiority >= found.superiority && then.later <= found.later + 1e-12);
    }

    #[test]
    fn the_estimate_is_within_its_interval(one in repeats(5..12), other in repeats(5..12), share in 0.05..0.95) {
        for confidence in [0.9, 0.99] {
            let found = shift(&with_censored(&one), &with_censored(&other), confidence).unwrap();
            let (estimate, interval) = (ends(found.estimate), ends(found.interval));
            prop_assert!(interval.0 <= estimate.0 && estimate.0 <= estimate.1 && estimate.1 <= interval.1);
            let found = quantile(&with_censored(&one), share, confidence).unwrap();
            let estimate = found.estimate.at_least();
            prop_assert!(found.lower.is_none_or(|lower| lower.at_least() <= estimate));
            prop_assert!(found.upper.is_none_or(|upper| upper.at_least() >= estimate));
        }
    }

    /// Censoring a repeat at the time of its recovery makes no estimate shorter and no interval narrower.
    #[test]
    fn who_is_given_up_is_never_shorter(
        one in whole(5..12), other in whole(5..12), given_up in 0..5_usize, share in 0.05..0.95,
    ) {
        let one = all_recovered(&one);
        let mut times: Vec<_> = other.iter().map(|time| (*time, false)).collect();
        let whole = with_censored(&times);
        times[given_up].1 = true;
        let less = with_censored(&times);
        let (known, now) = (shift(&one, &whole, 0.95).unwrap(), shift(&one, &less, 0.95).unwrap());
        for (known, now) in [(known.estimate, now.estimate), (known.interval, now.interval)] {
            prop_assert!(ends(now).0 == ends(known).0 && ends(now).1 >= ends(known).1);
        }
        let (known, now) = (quantile(&whole, share, 0.9).unwrap(), quantile(&less, share, 0.9).unwrap());
        prop_assert!(now.estimate.at_least() >= known.estimate.at_least());
        let (was, is) = (known.lower.map(Bound::at_least), now.lower.map(Bound::at_least));
        prop_assert_eq!(was, is, "what a quantile is at least is as it was");
        prop_assert!(now.upper.is_none_or(|now| known.upper.unwrap().at_least() <= now.at_least()));
        // With the samples swapped, the earlier one has no upper bound, so the delay has no lower one.
        let back = shift(&less, &one, 0.95).unwrap().estimate;
        prop_assert!(ends(back).0 <= ends(shift(&whole, &one, 0.95).unwrap().estimate).0);
    }

    #[test]
    fn what_is_left_falls_and_lies_within_its_band(times in repeats(1..30)) {
        let survival = Survival::of(&with_censored(&times), 0.95).unwrap();
        let mut before = 1.0;
        for step in survival.steps() {
            let Share { estimate, lower, upper } = step.left;
            prop_assert!((0.0..before).contains(&estimate), "{step:?}");
            prop_assert!(0.0 <= lower && lower <= estimate && estimate <= upper && upper <= 1.0, "{step:?}");
            before = estimate;
        }
    }
}
