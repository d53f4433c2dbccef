//! Fisher's exact test, compared with scipy.

use super::*;

fn chance(before: (u64, u64), now: (u64, u64)) -> Option<f64> {
    let failures = |(failed, of)| Failures { failed, of };
    fail_more_often(failures(before), failures(now))
}

#[test]
fn chances_are_those_of_others() {
    // scipy: stats.fisher_exact([[failed now, well now], [failed before, well before]], alternative="greater")
    for (before, now, expected) in [
        ((1, 6), (8, 10), 0.024_475_524_475_524_483),
        ((0, 20), (3, 20), 0.115_384_615_384_615_4),
        ((3, 300), (12, 200), 0.001_670_756_806_515_898_6),
        ((4, 9), (0, 9), 1.0),
    ] {
        assert_close(chance(before, now).unwrap(), expected);
    }
}

#[test]
fn without_runs_or_failures_nothing_is_more_frequent() {
    for (before, now) in [((0, 0), (0, 0)), ((0, 10), (0, 10)), ((0, 0), (5, 5)), ((5, 5), (5, 5)), ((3, 4), (0, 0))] {
        assert_close(chance(before, now).unwrap(), 1.0);
    }
    assert_eq!(chance((2, 1), (0, 1)), None);
    assert_eq!(chance((0, 1), (2, 1)), None);
}
