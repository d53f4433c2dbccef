//! The shift between two samples and its p-values, compared with scipy, numpy and counting by hand.

use super::*;

const BEFORE: [u64; 8] = [412, 530, 388, 611, 450, 702, 395, 505];
const NOW: [u64; 9] = [640, 580, 720, 455, 810, 690, 900, 602, 515];

fn by(millis: i64) -> Option<Delay> {
    let (before, now) = if millis < 0 { (ms(millis.unsigned_abs()), ms(0)) } else { (ms(0), ms(millis as u64)) };
    Some(Delay::between(before, now))
}

fn range(at_least: Option<Delay>, at_most: Option<Delay>) -> Difference {
    Difference { at_least, at_most }
}

#[test]
fn small_samples_are_counted() {
    let found = shift(&all_recovered(&BEFORE), &all_recovered(&NOW), 0.95).unwrap();
    // numpy: median(now − before for all pairs)
    assert_eq!(found.estimate.known(), by(164));
    // By hand: the 16th of the 72 differences from below and from above; 16 is R's qwilcox(0.025, 8, 9). scipy gives
    // the same limits: between them mannwhitneyu(now − shift, before, method="exact").pvalue > 0.05.
    assert_eq!(found.interval, range(by(18), by(295)));
    assert!(!found.interval.includes_none());
    // scipy: stats.mannwhitneyu(now, before, alternative=…, method="exact")
    assert_close(found.superiority, 59.0 / 72.0);
    assert_close(found.later, 0.013_698_066_639_243_11);
    assert_close(found.sooner, 0.989_675_030_851_501_4);
    assert_close(found.either, 0.027_396_133_278_486_22);
    let found = shift(&all_recovered(&BEFORE), &all_recovered(&NOW), 0.99).unwrap();
    assert_eq!(found.interval, range(by(-31), by(360)));
    assert!(found.interval.includes_none());
}

#[test]
fn what_is_equal_counts_half() {
    let found = shift(&all_recovered(&[1, 2, 2, 3, 5]), &all_recovered(&[2, 4, 5, 6, 6, 7]), 0.95).unwrap();
    // By hand: 15 and 455 of all 462 ways. scipy confirms the 15: stats.permutation_test((now, before), pairs,
    // permutation_type="independent", n_resamples=inf, alternative="greater")
    assert_close(found.later, 15.0 / 462.0);
    assert_close(found.sooner, 455.0 / 462.0);
    assert_close(found.superiority, 0.85);
    let same = shift(&all_recovered(&[5; 6]), &all_recovered(&[5; 6]), 0.95).unwrap();
    assert_eq!((same.estimate.known(), same.superiority, same.either), (by(0), 0.5, 1.0));
    let same = shift(&all_recovered(&[5; 60]), &all_recovered(&[5; 60]), 0.95).unwrap();
    assert_eq!((same.estimate.known(), same.superiority, same.either), (by(0), 0.5, 1.0));
}

#[test]
fn large_samples_are_taken_to_be_normal() {
    let before = [
        5, 5, 6, 7, 7, 7, 8, 9, 10, 10, 11, 12, 12, 13, 14, 15, 16, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
    ];
    let now = [
        7, 8, 8, 9, 10, 12, 14, 15, 15, 16, 18, 19, 20, 20, 22, 23, 24, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37,
        38,
    ];
    let found = shift(&all_recovered(&before), &all_recovered(&now), 0.95).unwrap();
    // scipy: stats.mannwhitneyu(now, before, alternative=…, method="asymptotic", use_continuity=True)
    assert_close(found.superiority, 650.5 / 900.0);
    assert_close(found.later, 0.001_544_521_133_653_533_2);
    assert_close(found.sooner, 0.998_528_017_371_131_8);
    assert_close(found.either, 0.003_089_042_267_306_706_4);
    let mut differences: Vec<_> =
        now.iter().flat_map(|now| before.iter().map(move |before| *now as i64 - *before as i64)).collect();
    differences.sort_unstable();
    assert_eq!(found.interval, range(by(differences[316]), by(differences[900 - 317])));
}

#[test]
fn what_was_given_up_is_at_least_so_much_later() {
    let before = with_censored(&[(3, false), (5, false), (7, true), (8, false), (4, false)]);
    let now = with_censored(&[(6, false), (9, false), (10, true), (10, true), (5, false), (7, true)]);
    let found = shift(&before, &now, 0.95).unwrap();
    // By hand: Gehan's scores over all 462 ways; the medians of the least and of the largest possible differences.
    assert_close(found.superiority, 46.0 / 60.0);
    assert_close(found.later, 31.0 / 462.0);
    assert_close(found.sooner, 436.0 / 462.0);
    assert_eq!(found.estimate, range(by(2), None));
    // No repeat now recovered: the shift is certain, and only its lower limits are known.
    let never = shift(&all_recovered(&[10, 20, 30, 40]), &with_censored(&[(500, true); 4]), 0.95).unwrap();
    assert_eq!((never.superiority, never.later), (1.0, 1.0 / 70.0));
    assert_eq!((never.estimate, never.interval), (range(by(475), None), range(by(460), None)));
    // No repeat recovered in either sample: every limit is unknown, and no difference is claimed.
    let both = shift(&with_censored(&[(500, true); 4]), &with_censored(&[(500, true); 4]), 0.95).unwrap();
    assert_eq!((both.superiority, both.either), (0.5, 1.0));
    assert_eq!((both.estimate, both.interval), (range(None, None), range(None, None)));
    assert!(both.interval.includes_none() && both.estimate.known().is_none());
}

#[test]
fn too_few_repeats_say_nothing() {
    let of = |n: u64| all_recovered(&(1..=n).collect::<Vec<_>>());
    for (m, n, confidence, is_enough) in [
        (4, 4, 0.95, true),
        (3, 4, 0.95, false),
        (3, 5, 0.95, true),
        (5, 5, 0.99, true),
        (4, 5, 0.99, false),
        (4, 4, 0.99, false),
        (0, 100, 0.95, false),
        (100, 0, 0.95, false),
        (1, 1_000, 0.95, true),
        (1, 30, 0.95, false),
    ] {
        assert_eq!(shift(&of(m), &of(n), confidence).is_some(), is_enough, "{m} and {n} at {confidence}");
    }
    let least = [0.8, 0.9, 0.95, 0.99, 0.999].map(least_repeats);
    assert_eq!(least, [Some(3), Some(3), Some(4), Some(5), Some(7)]);
    for confidence in [0.0, 1.0, 1.5, f64::NAN] {
        assert!(least_repeats(confidence).is_none() && shift(&of(9), &of(9), confidence).is_none());
    }
}

#[test]
fn a_delay_has_a_sign() {
    assert_eq!(by(1_200).unwrap().to_string(), "+1.20 s");
    assert_eq!(by(-300).unwrap().to_string(), "-300 ms");
    assert_eq!(by(-300).unwrap().magnitude(), ms(300));
    // The longest durations do not overflow.
    assert!(
        Delay::between(Duration::MAX, ms(0)).nanos() < 0 && Delay::between(Duration::MAX, Duration::MAX).nanos() == 0
    );
}
