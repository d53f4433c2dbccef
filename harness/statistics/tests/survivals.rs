//! The Kaplan–Meier estimate and its band, compared with lifelines and scipy.

use super::*;

/// Remission under 6-mercaptopurine (Freireich et al., *Blood* 21, 1963), the data of textbooks, with weeks as
/// milliseconds.
fn freireich() -> Sample {
    let relapsed = [6, 6, 6, 7, 10, 13, 16, 22, 23].map(|time| (time, false));
    let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map(|time| (time, true));
    with_censored(&[&relapsed[..], &censored[..]].concat())
}

#[test]
fn steps_and_band_are_those_of_others() {
    // lifelines: KaplanMeierFitter(alpha=0.05).fit(times, relapsed): survival_function_, confidence_interval_, event_table
    let expected = [
        (6, 21, 3, 0.857143, 0.619718, 0.951552),
        (7, 17, 1, 0.806723, 0.563147, 0.922809),
        (10, 15, 1, 0.752941, 0.503200, 0.889362),
        (13, 12, 1, 0.690196, 0.431610, 0.849066),
        (16, 11, 1, 0.627451, 0.367511, 0.804912),
        (22, 7, 1, 0.537815, 0.267779, 0.746791),
        (23, 6, 1, 0.448179, 0.188052, 0.680143),
    ];
    let survival = Survival::of(&freireich(), 0.95).unwrap();
    assert_eq!(survival.steps().len(), expected.len());
    for (step, (at, at_risk, recovered, estimate, lower, upper)) in survival.steps().iter().zip(expected) {
        assert_eq!((step.at, step.at_risk, step.recovered), (ms(at), at_risk, recovered));
        for (found, expected) in [(step.left.estimate, estimate), (step.left.lower, lower), (step.left.upper, upper)] {
            assert!((found - expected).abs() < 1e-6, "{found}, and not {expected}, at {at}");
        }
    }
}

#[test]
fn it_is_read_between_its_steps_and_not_beyond_what_was_watched() {
    let survival = Survival::of(&freireich(), 0.95).unwrap();
    let left = |time| survival.not_recovered_at(ms(time));
    assert_eq!(left(6), left(0).map(|_| survival.steps()[0].left));
    assert_eq!(left(9), Some(survival.steps()[1].left));
    assert_eq!(left(35), Some(survival.steps()[6].left));
    assert_eq!(left(36), None, "no observation is that long");
    // scipy: stats.binomtest(21, 21).proportion_ci(0.95, "exact")
    assert_close(left(5).unwrap().lower, 0.838_902_384_780_920_4);
    assert_eq!((left(5).unwrap().estimate, left(5).unwrap().upper), (1.0, 1.0));
    let recovered = survival.recovered_at(ms(23)).unwrap();
    assert!((recovered.estimate - 0.551_821).abs() < 1e-6);
    assert!((recovered.lower - 0.319_857).abs() < 1e-6 && (recovered.upper - 0.811_948).abs() < 1e-6);
}

#[test]
fn all_have_recovered_in_the_end_and_that_is_not_certain_of_all_there_will_be() {
    let survival = Survival::of(&all_recovered(&[10, 20, 30, 40]), 0.95).unwrap();
    let end = survival.not_recovered_at(ms(1_000)).unwrap();
    assert_eq!((end.estimate, end.lower), (0.0, 0.0));
    assert_eq!(end.upper, survival.steps()[2].left.upper);
    let at_once = Survival::of(&all_recovered(&[10; 10]), 0.95).unwrap();
    // scipy: stats.binomtest(0, 10).proportion_ci(0.95, "exact")
    assert_close(at_once.not_recovered_at(ms(10)).unwrap().upper, 0.308_497_107_818_762_94);
}

#[test]
fn nothing_is_said_of_nothing() {
    assert!(Survival::of(&Sample::new([]), 0.95).is_none());
    assert!(Survival::of(&freireich(), 1.0).is_none() && Survival::of(&freireich(), f64::NAN).is_none());
    let never = Survival::of(&with_censored(&[(10, true), (20, true)]), 0.95).unwrap();
    assert!(never.steps().is_empty());
    assert_eq!(never.not_recovered_at(ms(20)).unwrap().estimate, 1.0);
    assert_eq!(never.not_recovered_at(ms(21)), None);
}
