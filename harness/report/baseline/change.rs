//! Comparison of one client in one scenario with the baseline.
//!
//! A failure is a regression if the baseline has no failure, or cannot be compared; no significance is required. If
//! the baseline has failures, a regression needs a failure of another check, or more failures than chance explains.
//! Recovery times are compared by their distributions, if both sides have enough repeats to distinguish a difference
//! from chance.

use std::collections::BTreeSet;
use std::time::Duration;

use super::CONFIDENCE;
use super::text;
use crate::judge::{Check, VerdictKind};
use crate::report::cell::Cell;
use crate::report::comparison::{Change, ChangeKind, Figures, Times};
use crate::statistics::{Failures, Sample, Shift, fail_more_often, least_repeats, quantile, shift};

/// Compares a cell with that of the baseline; `before` is `None` if the baseline does not have it.
pub(super) fn since(before: Option<&Cell>, now: &Cell, tolerance: Duration) -> Change {
    let change = |(kind, what): (ChangeKind, String), times| Change {
        client: now.client.to_owned(),
        scenario: now.scenario.to_owned(),
        kind,
        what,
        times,
    };
    if let Some(answer) = without_comparison(before, now) {
        return change(answer, None);
    }
    let before = match before {
        Some(before) => before,
        None => return change((ChangeKind::New, "not in the baseline".to_owned()), None),
    };
    if let Some(answer) = failures(before, now) {
        return change(answer, None);
    }
    let (earlier, later) = (before.sample(), now.sample());
    match shift(&earlier, &later, CONFIDENCE) {
        None if earlier.is_empty() && later.is_empty() => change((ChangeKind::Same, "same verdict".to_owned()), None),
        None => {
            let least = least_repeats(CONFIDENCE).unwrap_or_default();
            let few = format!("same verdict; comparing times needs {least} repeats in both");
            change((ChangeKind::Same, few), None)
        }
        Some(shift) => {
            let times = times(&earlier, &later, &shift);
            let kind = slower(&shift, tolerance);
            change((kind, text::shift(&times)), Some(times))
        }
    }
}

/// The result if the two cells cannot be compared; `None` if they can, or if a cell without failures is new.
fn without_comparison(before: Option<&Cell>, now: &Cell) -> Option<(ChangeKind, String)> {
    let is_conclusive = |cell: &Cell| cell.conclusive().next().is_some();
    if !is_conclusive(now) {
        return Some((ChangeKind::NotComparable, format!("{} now", inconclusive_state(now))));
    }
    let different = match before {
        None => "not in the baseline".to_owned(),
        Some(before) if !is_conclusive(before) => format!("{} in the baseline", inconclusive_state(before)),
        Some(before) => changed_setup(before, now)?,
    };
    if !failed_checks(now).is_empty() {
        return Some((ChangeKind::Worse, format!("{}; {different}", text::failures(now))));
    }
    before.map(|_| (ChangeKind::NotComparable, different))
}

fn inconclusive_state(cell: &Cell) -> &'static str {
    if cell.worst().is_some() { "unknown" } else { cell.state() }
}

/// The part of the setup that differs from the baseline, which makes the results incomparable.
fn changed_setup(before: &Cell, now: &Cell) -> Option<String> {
    let (before, now) = (before.conclusive().next()?, now.conclusive().next()?);
    let differs = |what: &str| Some(format!("not comparable: {what} differs from the baseline"));
    match () {
        () if before.setup.plane != now.setup.plane => differs("the plane"),
        () if before.setup.device != now.setup.device => differs("the device"),
        () if before.setup.supervised != now.setup.supervised => differs("supervision"),
        () if before.budget != now.budget => differs("the budget"),
        () => None,
    }
}

/// The result from the failures alone; `None` if the times must be compared.
fn failures(before: &Cell, now: &Cell) -> Option<(ChangeKind, String)> {
    let (known, found) = (failed_checks(before), failed_checks(now));
    let count =
        |cell: &Cell| Failures { failed: cell.count(VerdictKind::Fail) as u64, of: cell.conclusive().count() as u64 };
    let (earlier, later) = (count(before), count(now));
    let worse = || format!("{}; {} of {} in the baseline", text::failures(now), earlier.failed, earlier.of);
    if found.iter().any(|check| !known.contains(check)) {
        return Some((ChangeKind::Worse, worse()));
    }
    let by_chance = |before, now| fail_more_often(before, now).is_none_or(|p| p > 1.0 - CONFIDENCE);
    if !by_chance(earlier, later) {
        return Some((ChangeKind::Worse, worse()));
    }
    if earlier.failed > 0 && (later.failed == 0 && later.of >= earlier.of || !by_chance(later, earlier)) {
        let what = format!(
            "fails {} of {} runs; {} of {} in the baseline",
            later.failed, later.of, earlier.failed, earlier.of
        );
        return Some((ChangeKind::Better, what));
    }
    // If every run fails, the times are not compared.
    (later.failed == later.of)
        .then(|| (ChangeKind::Same, format!("fails {} of {} runs, as in the baseline", later.failed, later.of)))
}

fn failed_checks(cell: &Cell) -> BTreeSet<Check> {
    cell.conclusive().flat_map(|verdict| verdict.failures().map(|(check, _)| check)).collect()
}

/// Returns *worse* or *better* only if the whole interval is beyond the tolerance.
fn slower(shift: &Shift, tolerance: Duration) -> ChangeKind {
    let nanos = i64::try_from(tolerance.as_nanos()).unwrap_or(i64::MAX);
    if shift.interval.at_least.is_some_and(|delay| delay.nanos() > nanos) {
        ChangeKind::Worse
    } else if shift.interval.at_most.is_some_and(|delay| delay.nanos() < -nanos) {
        ChangeKind::Better
    } else {
        ChangeKind::Same
    }
}

fn times(before: &Sample, now: &Sample, shift: &Shift) -> Times {
    let figures = |sample: &Sample| Figures {
        runs: sample.len() as u64,
        censored: sample.censored() as u64,
        median_us: quantile(sample, 0.5, CONFIDENCE)
            .and_then(|median| median.estimate.known())
            .map(|median| median.as_micros() as u64),
    };
    Times {
        before: figures(before),
        now: figures(now),
        shift: shift.estimate.into(),
        interval: shift.interval.into(),
        superiority: shift.superiority,
        p: shift.either,
    }
}
