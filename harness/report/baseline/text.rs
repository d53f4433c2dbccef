//! A comparison in words.

use std::fmt::Write;
use std::time::Duration;

use super::model::{Change, ChangeKind, Comparison, Figures, Span, Times};
use crate::judge::VerdictKind;
use crate::model::time::show;
use crate::report::cell::Cell;
use crate::report::text::broken;

/// What is told one by one, worst first; of the others only how many there are.
const TOLD: [ChangeKind; 5] =
    [ChangeKind::Worse, ChangeKind::Better, ChangeKind::NotComparable, ChangeKind::New, ChangeKind::Gone];

impl ChangeKind {
    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            ChangeKind::Worse => "worse",
            ChangeKind::Better => "better",
            ChangeKind::Same => "the same",
            ChangeKind::New => "new",
            ChangeKind::Gone => "gone",
            ChangeKind::NotComparable => "not comparable",
        }
    }
}

impl Comparison {
    /// The changes that are worth a line, worst first.
    pub fn told(&self) -> impl Iterator<Item = &Change> {
        TOLD.into_iter().flat_map(|kind| self.changes.iter().filter(move |change| change.kind == kind))
    }

    /// What it was compared with, and what came of it: `since base.json of …: 1 worse, 2 better, 97 the same`.
    pub fn counts(&self) -> String {
        let counts = TOLD.into_iter().chain([ChangeKind::Same]).map(|kind| (self.count(kind), kind.word()));
        let counts: Vec<_> =
            counts.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        format!("since {} of {}: {}", self.baseline, self.began, counts.join(", "))
    }

    /// By which rule it was decided.
    pub fn rule(&self) -> String {
        format!(
            "worse: fails where it did not, or recovers later by more than {}, with {:.0} % confidence",
            show(Duration::from_micros(self.tolerance_us)),
            self.confidence * 100.0
        )
    }
}

/// The comparison for a terminal. Ends with a newline.
pub fn text(comparison: &Comparison) -> String {
    let mut text = comparison.counts() + "\n";
    for Change { client, scenario, kind, what, .. } in comparison.told() {
        text += &format!("  {:14} {scenario} with {client}: {what}\n", kind.word());
    }
    text + &format!("  {}\n", comparison.rule())
}

/// The comparison as a part of a Markdown page; `escaped` makes text safe there.
pub fn markdown(comparison: &Comparison, escaped: impl Fn(&str) -> String) -> String {
    let mut text = format!("### {}\n\n", escaped(&comparison.counts()));
    for Change { client, scenario, kind, what, .. } in comparison.told() {
        let word = if *kind == ChangeKind::Worse { "**worse**" } else { kind.word() };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "* {word}: {}", escaped(&format!("{scenario} with {client}: {what}")));
    }
    text + &format!("\n{}\n\n", escaped(&comparison.rule()))
}

/// How often it fails, and what first: `fails 1 of 10 (recovered: …)`.
pub(super) fn failures(cell: &Cell) -> String {
    let worst = cell.verdicts().find(|verdict| verdict.verdict == VerdictKind::Fail);
    let first = worst.and_then(|verdict| broken(verdict).next()).map(|first| format!(" ({first})"));
    format!("fails {} of {}{}", cell.count(VerdictKind::Fail), cell.answers().count(), first.unwrap_or_default())
}

/// How recovery has moved: `recovery has moved by +2.01 s (interval +1.80 s to +2.20 s), p < 0.001; median 54.1 ms of 10 runs,
/// now 2.06 s of 10 runs`.
pub(super) fn shift(times: &Times) -> String {
    format!(
        "recovery has moved by {} (interval {}), p {}; median {}, now {}",
        span(times.shift),
        span(times.interval),
        chance(times.p),
        median(&times.before),
        median(&times.now)
    )
}

/// A median, and of how many.
pub fn median(Figures { runs, censored, median_us }: &Figures) -> String {
    let median = median_us.map_or_else(|| "beyond what was watched".to_owned(), |us| show(Duration::from_micros(us)));
    let censored = if *censored > 0 { format!(", {censored} censored") } else { String::new() };
    format!("{median} of {runs} runs{censored}")
}

/// A probability that something is chance.
pub fn chance(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") }
}

/// A delay with its sign, or between which it lies.
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
        (None, None) => "nobody knows how much".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_a_sign_and_what_is_not_known_is_no_number() {
        let told = |at_least_us, at_most_us| span(Span { at_least_us, at_most_us });
        assert_eq!(told(Some(1_500), Some(1_500)), "+1.50 ms");
        assert_eq!(told(Some(-2_000_000), Some(0)), "-2.00 s to +0 µs");
        assert_eq!(told(Some(250_000), None), "+250 ms or more");
        assert_eq!(told(None, None), "nobody knows how much");
        let censored = Figures { runs: 20, censored: 12, median_us: None };
        assert_eq!(median(&censored), "beyond what was watched of 20 runs, 12 censored");
        assert_eq!([chance(0.000_1), chance(0.0314)], ["< 0.001", "= 0.031"]);
    }
}
