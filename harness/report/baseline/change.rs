//! What has become of one client in one scenario.
//!
//! A failure where there was none is a regression, however rare: nobody has to wait for it to become significant. Where
//! there were failures before, they have to be others, or more frequent than chance explains. Times are compared as they are
//! distributed, and only where both have repeats enough to tell a difference from chance.

use std::collections::BTreeSet;
use std::time::Duration;

use super::CONFIDENCE;
use super::model::{Change, ChangeKind, Figures, Times};
use super::text;
use crate::judge::{Check, VerdictKind};
use crate::report::cell::Cell;
use crate::statistics::{Failures, Sample, Shift, fail_more_often, least_repeats, quantile, shift};

/// What has changed since `before`, which is `None` where the baseline has no such run.
pub(super) fn since(before: Option<&Cell>, now: &Cell, tolerance: Duration) -> Change {
    let told = |(kind, what): (ChangeKind, String), times| Change {
        client: now.client.to_owned(),
        scenario: now.scenario.to_owned(),
        kind,
        what,
        times,
    };
    if let Some(answer) = without_comparison(before, now) {
        return told(answer, None);
    }
    let before = match before {
        Some(before) => before,
        None => return told((ChangeKind::New, "the baseline does not have it".to_owned()), None),
    };
    if let Some(answer) = failures(before, now) {
        return told(answer, None);
    }
    let (earlier, later) = (before.sample(), now.sample());
    match shift(&earlier, &later, CONFIDENCE) {
        None if earlier.is_empty() && later.is_empty() => told((ChangeKind::Same, "the same verdict".to_owned()), None),
        None => {
            let least = least_repeats(CONFIDENCE).unwrap_or_default();
            let few = format!("the same verdict; to compare times, both need {least} repeats");
            told((ChangeKind::Same, few), None)
        }
        Some(shift) => {
            let times = times(&earlier, &later, &shift);
            let kind = slower(&shift, tolerance);
            told((kind, text::shift(&times)), Some(times))
        }
    }
}

/// What there is to say where the two cannot be put beside each other.
fn without_comparison(before: Option<&Cell>, now: &Cell) -> Option<(ChangeKind, String)> {
    let has_answer = |cell: &Cell| cell.answers().next().is_some();
    if !has_answer(now) {
        return Some((ChangeKind::NotComparable, format!("{} now", unanswered(now))));
    }
    let different = match before {
        None => "the baseline does not have it".to_owned(),
        Some(before) if !has_answer(before) => format!("{} in the baseline", unanswered(before)),
        Some(before) => differently_asked(before, now)?,
    };
    if !failed_checks(now).is_empty() {
        return Some((ChangeKind::Worse, format!("it {}; {different}", text::failures(now))));
    }
    before.map(|_| (ChangeKind::NotComparable, different))
}

fn unanswered(cell: &Cell) -> &'static str {
    if cell.worst().is_some() { "unknown" } else { cell.state() }
}

/// In what the question was another one, so that an answer to it says nothing of this.
fn differently_asked(before: &Cell, now: &Cell) -> Option<String> {
    let (before, now) = (before.answers().next()?, now.answers().next()?);
    let differs = |what: &str| Some(format!("not comparable: {what} was another in the baseline"));
    match () {
        () if before.plane != now.plane => differs("the plane"),
        () if before.device != now.device => differs("the device"),
        () if before.supervised != now.supervised => differs("supervision"),
        () if before.budget != now.budget => differs("the budget"),
        () => None,
    }
}

/// What failures say, if they say anything.
fn failures(before: &Cell, now: &Cell) -> Option<(ChangeKind, String)> {
    let (known, found) = (failed_checks(before), failed_checks(now));
    let count =
        |cell: &Cell| Failures { failed: cell.count(VerdictKind::Fail) as u64, of: cell.answers().count() as u64 };
    let (earlier, later) = (count(before), count(now));
    let as_before =
        || format!("it {}; in the baseline {} of {} failed", text::failures(now), earlier.failed, earlier.of);
    if found.iter().any(|check| !known.contains(check)) {
        return Some((ChangeKind::Worse, as_before()));
    }
    let by_chance = |before, now| fail_more_often(before, now).is_none_or(|p| p > 1.0 - CONFIDENCE);
    if !by_chance(earlier, later) {
        return Some((ChangeKind::Worse, as_before()));
    }
    if earlier.failed > 0 && (later.failed == 0 && later.of >= earlier.of || !by_chance(later, earlier)) {
        let what =
            format!("fails {} of {}; in the baseline {} of {}", later.failed, later.of, earlier.failed, earlier.of);
        return Some((ChangeKind::Better, what));
    }
    // Whoever fails all the time has no times that mean anything.
    (later.failed == later.of)
        .then(|| (ChangeKind::Same, format!("fails as in the baseline: {} of {}", later.failed, later.of)))
}

fn failed_checks(cell: &Cell) -> BTreeSet<Check> {
    cell.answers().flat_map(|verdict| verdict.failures().map(|(check, _)| check)).collect()
}

/// Only what the whole of the interval says is said.
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
