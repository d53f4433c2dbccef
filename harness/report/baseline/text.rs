//! Formats a comparison for the terminal and for Markdown.

use std::fmt::Write;
use std::time::Duration;

use crate::judge::VerdictKind;
use crate::model::time::show;
use crate::report::cell::Cell;
use crate::report::comparison::{Change, ChangeKind, Comparison, Figures, Span, Times};
use crate::report::text::broken;

/// Kinds of change that are listed one by one, worst first; unchanged cells are only counted.
const LISTED: [ChangeKind; 5] =
    [ChangeKind::Worse, ChangeKind::Better, ChangeKind::NotComparable, ChangeKind::New, ChangeKind::Gone];

impl ChangeKind {
    /// The kind in one or two words.
    pub fn word(self) -> &'static str {
        match self {
            ChangeKind::Worse => "worse",
            ChangeKind::Better => "better",
            ChangeKind::Same => "unchanged",
            ChangeKind::New => "new",
            ChangeKind::Gone => "missing",
            ChangeKind::NotComparable => "not comparable",
        }
    }
}

impl Comparison {
    /// The changes except unchanged cells, worst first.
    pub fn listed(&self) -> impl Iterator<Item = &Change> {
        LISTED.into_iter().flat_map(|kind| self.changes.iter().filter(move |change| change.kind == kind))
    }

    /// The baseline and the number of changes: `compared with base.json of …: 1 worse, 2 better, 97 unchanged`.
    pub fn counts(&self) -> String {
        let counts = LISTED.into_iter().chain([ChangeKind::Same]).map(|kind| (self.count(kind), kind.word()));
        let counts: Vec<_> =
            counts.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        format!("compared with {} of {}: {}", self.baseline, self.began, counts.join(", "))
    }

    /// The rule for *worse*.
    pub fn rule(&self) -> String {
        format!(
            "worse: fails but did not before, or recovers more than {} later, with {:.0} % confidence",
            show(Duration::from_micros(self.tolerance_us)),
            self.confidence * 100.0
        )
    }
}

/// The comparison for a terminal. Ends with a newline.
pub fn text(comparison: &Comparison) -> String {
    let mut text = comparison.counts() + "\n";
    for Change { client, scenario, kind, what, .. } in comparison.listed() {
        text += &format!("  {:14} {scenario} with {client}: {what}\n", kind.word());
    }
    text + &format!("  {}\n", comparison.rule())
}

/// The comparison as a part of a Markdown page; `escaped` makes text safe there.
pub fn markdown(comparison: &Comparison, escaped: impl Fn(&str) -> String) -> String {
    let mut text = format!("### {}\n\n", escaped(&comparison.counts()));
    for Change { client, scenario, kind, what, .. } in comparison.listed() {
        let word = if *kind == ChangeKind::Worse { "**worse**" } else { kind.word() };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "* {word}: {}", escaped(&format!("{scenario} with {client}: {what}")));
    }
    text + &format!("\n{}\n\n", escaped(&comparison.rule()))
}

/// Number of failed runs, with the first finding: `fails 1 of 10 runs (recovered: …)`.
pub(super) fn failures(cell: &Cell) -> String {
    let worst = cell.verdicts().find(|verdict| verdict.verdict == VerdictKind::Fail);
    let first = worst.and_then(|verdict| broken(verdict).next()).map(|first| format!(" ({first})"));
    format!(
        "fails {} of {} runs{}",
        cell.count(VerdictKind::Fail),
        cell.conclusive().count(),
        first.unwrap_or_default()
    )
}

/// The change of the recovery time: `time to recover changed by +2.01 s (interval +1.80 s to +2.20 s), p < 0.001; median 54.1
/// ms of 10 runs before, 2.06 s of 10 runs now`.
pub(super) fn shift(times: &Times) -> String {
    format!(
        "time to recover changed by {} (interval {}), p {}; median {} before, {} now",
        span(times.shift),
        span(times.interval),
        chance(times.p),
        median(&times.before),
        median(&times.now)
    )
}

/// A median with its number of runs: `54.1 ms of 10 runs`, `not reached (12 of 20 runs did not recover)`.
pub fn median(Figures { runs, censored, median_us }: &Figures) -> String {
    match (median_us, censored) {
        (None, _) => format!("not reached ({censored} of {runs} runs did not recover)"),
        (Some(us), 0) => format!("{} of {runs} runs", show(Duration::from_micros(*us))),
        (Some(us), _) => format!("{} of {runs} runs ({censored} did not recover)", show(Duration::from_micros(*us))),
    }
}

/// A p-value with its relation: `< 0.001`, `= 0.031`.
pub fn chance(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") }
}

/// A delay with its sign, or the range of possible delays.
pub fn span(Span { at_least_us, at_most_us }: Span) -> String {
    let delay = |us: i64| {
        let sign = if us < 0 { '-' } else { '+' };
        format!("{sign}{}", show(Duration::from_micros(us.unsigned_abs())))
    };
    match (at_least_us, at_most_us) {
        (Some(least), Some(most)) if least == most => delay(least),
        (Some(least), Some(most)) => format!("{} to {}", delay(least), delay(most)),
        (Some(least), None) => format!("{} or more", delay(least)),
        (None, Some(most)) => format!("{} at most", delay(most)),
        (None, None) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_a_sign_and_unknown_ones_a_word() {
        let told = |at_least_us, at_most_us| span(Span { at_least_us, at_most_us });
        assert_eq!(told(Some(1_500), Some(1_500)), "+1.50 ms");
        assert_eq!(told(Some(-2_000_000), Some(0)), "-2.00 s to +0 µs");
        assert_eq!(told(Some(250_000), None), "+250 ms or more");
        assert_eq!(told(None, None), "unknown");
        let censored = Figures { runs: 20, censored: 12, median_us: None };
        assert_eq!(median(&censored), "not reached (12 of 20 runs did not recover)");
        assert_eq!([chance(0.000_1), chance(0.0314)], ["< 0.001", "= 0.031"]);
    }
}
