//! Which changes are regressions, and which are not.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::judge::samples::Sample;
use crate::judge::{Recovery, VerdictKind};
use crate::model::plane::Plane;
use crate::model::seed::Seed;
use crate::report::model::{Ending, Entry};
use crate::report::samples::{judged, lost, report, skipped};
use rand::RngExt;

const CLIENT: &str = "mine";
const SCENARIO: &str = "restart-fast";

/// Repeats with these times-to-recover, in milliseconds.
fn repeats(times: impl IntoIterator<Item = u64>) -> Report {
    let verdict = judged(CLIENT, SCENARIO, &Sample::healthy());
    of(times.into_iter().map(|ms| {
        let mut entry = verdict.clone();
        let Ending::Judged { verdict } = &mut entry.ending else { panic!("{entry:?}") };
        verdict.measures.time_to_recover = Recovery::Recovered { after: Duration::from_millis(ms) };
        entry
    }))
}

fn of(entries: impl IntoIterator<Item = Entry>) -> Report {
    let mut runs: Vec<Entry> = entries.into_iter().collect();
    let repeats = runs.len() as u32;
    for (repeat, entry) in (0..).zip(&mut runs) {
        (entry.repeat, entry.repeats) = (repeat, repeats);
    }
    report(runs)
}

fn changed(before: &Report, now: &Report) -> Change {
    let comparison = compare(now, "base.json", before, USUAL_TOLERANCE);
    assert_eq!(comparison.changes.len(), 1, "{comparison:?}");
    comparison.changes.into_iter().next().unwrap()
}

/// Ten recovery times of a typical distribution: soon after the heal, one step of backoff later, and occasionally much later.
fn drawn(seed: u64) -> Vec<u64> {
    let mut chance = Seed(seed).rng();
    let mut draw = || chance.random_range(0..100) + [20, 20, 300, 300, 1_000][chance.random_range(0..5)];
    (0..10).map(|_| draw()).collect()
}

#[test]
fn two_seconds_later_is_a_regression_and_chance_is_not() {
    let baseline = repeats(drawn(0));
    for seed in 1..=20 {
        let same = changed(&baseline, &repeats(drawn(seed)));
        assert_eq!(same.kind, ChangeKind::Same, "{same:?}");
        let later = changed(&baseline, &repeats(drawn(seed).into_iter().map(|ms| ms + 2_000)));
        assert_eq!(later.kind, ChangeKind::Worse, "{later:?}");
        let sooner = changed(&repeats(drawn(seed).into_iter().map(|ms| ms + 2_000)), &baseline);
        assert_eq!(sooner.kind, ChangeKind::Better, "{sooner:?}");
    }
}

#[test]
fn time_difference_is_formatted_with_its_figures() {
    let change = changed(&repeats((100..300).step_by(20)), &repeats((2_100..2_300).step_by(20)));
    let what = "time to recover changed by +2.00 s (interval +1.92 s to +2.08 s), p < 0.001; median 180 ms of 10 runs before, \
                2.18 s of 10 runs now";
    assert_eq!(change.what, what);
    let times = change.times.unwrap();
    assert_eq!(
        (times.shift.at_least_us, times.shift.at_most_us, times.superiority),
        (Some(2_000_000), Some(2_000_000), 1.0)
    );
}

#[test]
fn too_few_repeats_have_no_time_comparison() {
    let change = changed(&repeats([100; 4]), &repeats([9_000; 4]));
    assert_eq!((change.kind, change.times), (ChangeKind::Same, None));
    assert!(change.what.contains("needs 5 repeats in both"), "{}", change.what);
}

#[test]
fn rare_new_failure_is_a_regression() {
    let one = || judged(CLIENT, SCENARIO, &lost());
    let well = || judged(CLIENT, SCENARIO, &Sample::healthy());
    let mostly = of((0..9).map(|_| well()).chain([one()]));
    let change = changed(&of((0..10).map(|_| well())), &mostly);
    assert_eq!(change.kind, ChangeKind::Worse, "{change:?}");
    assert!(change.what.starts_with("fails 1 of 10 runs (recovered: not recovered"), "{}", change.what);
    // If the baseline has failures, only more of them than chance explains count.
    assert_eq!(changed(&mostly, &mostly).kind, ChangeKind::Same);
    assert_eq!(changed(&mostly, &of((0..10).map(|_| one()))).kind, ChangeKind::Worse);
    assert_eq!(changed(&of([one()]), &of([one()])).kind, ChangeKind::Same);
    assert_eq!(changed(&of([one()]), &of([well()])).kind, ChangeKind::Better);
}

#[test]
fn failure_of_another_check_is_a_regression() {
    let mut losing = lost();
    // An acknowledged write that is missing from the ledger.
    let written = losing.ops.iter().find(|op| op.kind.writes()).map(|op| op.key).unwrap();
    losing.copies.insert(written, 0);
    let change = changed(&of([judged(CLIENT, SCENARIO, &lost())]), &of([judged(CLIENT, SCENARIO, &losing)]));
    assert_eq!(change.kind, ChangeKind::Worse, "{change:?}");
}

#[test]
fn censored_runs_are_longer_than_their_observation() {
    let censored = |count| {
        (0..count).map(|_| {
            let mut entry = judged(CLIENT, SCENARIO, &Sample::healthy());
            let Ending::Judged { verdict } = &mut entry.ending else { panic!("{entry:?}") };
            verdict.measures.time_to_recover = Recovery::Censored { beyond: Duration::from_secs(60) };
            entry
        })
    };
    let some = of(repeats([100; 4]).runs.into_iter().chain(censored(6)));
    let change = changed(&repeats([100; 10]), &some);
    let times = change.times.unwrap();
    assert_eq!((times.now.censored, times.now.median_us), (6, None));
    assert!(times.shift.at_most_us.is_none(), "{times:?}");
    assert_eq!(changed(&repeats([100; 10]), &of(censored(10))).kind, ChangeKind::Worse);
}

#[test]
fn incomparable_cells_are_reported() {
    let kind = |before: &Report, now: &Report| compare(now, "base.json", before, USUAL_TOLERANCE).changes[0].kind;
    let well = repeats([100]);
    let none = of([skipped(CLIENT, SCENARIO)]);
    let failed = of([judged(CLIENT, SCENARIO, &lost())]);
    assert_eq!(kind(&none, &well), ChangeKind::NotComparable);
    assert_eq!(kind(&well, &none), ChangeKind::NotComparable);
    assert_eq!(kind(&none, &failed), ChangeKind::Worse, "a failure counts without a baseline");
    assert_eq!(kind(&report(Vec::new()), &failed), ChangeKind::Worse);
    assert_eq!(kind(&report(Vec::new()), &well), ChangeKind::New);
    let gone = compare(&report(Vec::new()), "base.json", &well, USUAL_TOLERANCE);
    assert_eq!(gone.changes[0].kind, ChangeKind::Gone);
    let mut elsewhere = well.clone();
    let Ending::Judged { verdict } = &mut elsewhere.runs[0].ending else { panic!() };
    verdict.setup.plane = Plane::Kernel;
    assert_eq!(kind(&well, &elsewhere), ChangeKind::NotComparable);
    let mut doubtful = well.clone();
    let Ending::Judged { verdict } = &mut doubtful.runs[0].ending else { panic!() };
    verdict.verdict = VerdictKind::Unknown;
    assert_eq!(kind(&well, &doubtful), ChangeKind::NotComparable);
}

#[test]
fn comparison_lists_worst_first() {
    let runs = |sample: &Sample| {
        let well = Sample::healthy();
        let runs = [("blackhole", &well), ("restart-fast", &well), ("stall", sample)];
        report(runs.map(|(name, sample)| judged(CLIENT, name, sample)).into())
    };
    let comparison = compare(&runs(&lost()), "base.json", &runs(&Sample::healthy()), USUAL_TOLERANCE);
    assert!(comparison.is_worse());
    insta::assert_snapshot!(text(&comparison));
}

proptest! {
    #[test]
    fn report_is_not_worse_than_itself(times in prop::collection::vec(0_u64..60_000, 1..12)) {
        let report = repeats(times);
        prop_assert_eq!(changed(&report, &report).kind, ChangeKind::Same);
    }
}
