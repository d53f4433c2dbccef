//! Quantiles and their limits, and the normal distribution, compared with scipy; quantiles of censored samples.

use super::*;
use crate::statistics::normal;

const TIMES: [u64; 17] = [810, 388, 395, 412, 450, 455, 505, 515, 530, 580, 602, 611, 640, 690, 702, 720, 900];

fn limits(sample: &Sample, share: f64, confidence: f64) -> (Option<Bound>, Option<Bound>) {
    let quantile = quantile(sample, share, confidence).unwrap();
    (quantile.lower, quantile.upper)
}

fn known(time: u64) -> Option<Bound> {
    Some(Bound::Known(ms(time)))
}

fn beyond(time: u64) -> Option<Bound> {
    Some(Bound::Beyond(ms(time)))
}

#[test]
fn limits_are_those_of_others() {
    // scipy: stats.quantile_test(TIMES, p=share).confidence_interval(confidence)
    let sample = all_recovered(&TIMES);
    assert_eq!(limits(&sample, 0.5, 0.95), (known(455), known(690)));
    assert_eq!(limits(&sample, 0.95, 0.95), (known(702), None));
    assert_eq!(limits(&sample, 0.25, 0.90), (known(388), known(530)));
    assert_eq!(quantile(&sample, 0.5, 0.95).unwrap().estimate, Bound::Known(ms(580)));
    // The quantiles of the sample 1, 2, … n, which are its ranks.
    let ranks = |n: u64, share, confidence| limits(&all_recovered(&(1..=n).collect::<Vec<_>>()), share, confidence);
    assert_eq!(ranks(10, 0.5, 0.95), (known(2), known(9)));
    assert_eq!(ranks(6, 0.5, 0.95), (known(1), known(6)));
    assert_eq!(ranks(5, 0.5, 0.95), (None, None));
    assert_eq!(ranks(72, 0.95, 0.95), (known(64), known(72)));
    assert_eq!(ranks(71, 0.95, 0.95), (known(63), None));
    assert_eq!(ranks(100, 0.95, 0.95), (known(90), known(100)));
    assert_eq!(ranks(100, 0.5, 0.99), (known(37), known(64)));
}

#[test]
fn what_was_given_up_is_beyond_and_never_shorter() {
    let mut times: Vec<_> = (1..=10).map(|time| (time * 100, false)).collect();
    times[8].1 = true;
    times[9].1 = true;
    let sample = with_censored(&times);
    assert_eq!((sample.len(), sample.censored()), (10, 2));
    assert_eq!((sample.min(), sample.max()), (known(100), beyond(1_000)));
    let median = quantile(&sample, 0.5, 0.95).unwrap();
    assert_eq!((median.estimate, median.lower, median.upper), (Bound::Known(ms(500)), known(200), beyond(900)));
    assert_eq!(quantile(&sample, 0.9, 0.95).unwrap().estimate, Bound::Beyond(ms(900)));
    // The repeat that was censored early may have any later rank: so 200 is a lower bound of the second rank, and
    // even if that repeat is last, the upper limit (rank ten) is no later than the tenth recovered repeat.
    let early: Vec<_> = (1..=11).map(|time| (time * 100, time == 2)).collect();
    let median = quantile(&with_censored(&early), 0.5, 0.95).unwrap();
    assert_eq!((median.estimate, median.lower), (Bound::Beyond(ms(600)), beyond(200)));
    assert_eq!(median.upper, known(1_100), "the tenth of eleven, one of which was not counted");
}

#[test]
fn nothing_is_said_of_nothing() {
    let none = Sample::new([]);
    assert!(none.is_empty() && none.min().is_none() && none.max().is_none());
    assert!(quantile(&none, 0.5, 0.95).is_none());
    for (share, confidence) in [(0.0, 0.95), (1.0, 0.95), (0.5, 1.0), (0.5, 0.0), (f64::NAN, 0.9), (0.5, f64::NAN)] {
        assert!(quantile(&all_recovered(&TIMES), share, confidence).is_none(), "{share} {confidence}");
    }
    assert_eq!(quantile(&all_recovered(&[7]), 0.5, 0.95).unwrap().estimate, Bound::Known(ms(7)));
}

#[test]
fn the_normal_distribution_is_that_of_others() {
    // scipy: stats.norm.sf(z)
    for (z, above) in [
        (0.0, 0.5),
        (0.5, 0.308_537_538_725_986_9),
        (1.0, 0.158_655_253_931_457_07),
        (1.96, 0.024_997_895_148_220_435),
        (2.7, 0.003_466_973_803_040_664_7),
        (2.9, 0.001_865_813_300_384_037_5),
        (4.0, 3.167_124_183_311_986e-5),
        (-1.5, 0.933_192_798_731_141_9),
    ] {
        assert_close(normal::above(z), above);
    }
    assert!((normal::above(8.0) / 6.220_960_574_271_74e-16 - 1.0).abs() < 1e-9);
    // scipy: stats.norm.ppf(probability)
    for (probability, z) in [
        (0.975, 1.959_963_984_540_054),
        (0.995, 2.575_829_303_548_900_4),
        (0.025, -1.959_963_984_540_054_5),
        (0.999_9, 3.719_016_485_455_709),
        (1e-6, -4.753_424_308_822_899),
    ] {
        assert_close(normal::quantile(probability), z);
    }
    assert!(normal::quantile(0.5).abs() < 1e-12);
}
