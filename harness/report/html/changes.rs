//! What has changed since the baseline, worse ones first.

use super::super::baseline::{Change, ChangeKind, Comparison, Figures, Times};
use super::Placed;
use crate::time::show;
use std::time::Duration;

/// A report beside its baseline, as it is told.
pub(super) struct Changes {
    pub baseline: String,
    pub began: String,
    pub pgsquall: String,
    pub tolerance: String,
    /// In per cent: `99 %`.
    pub confidence: String,
    /// Those that changed, or are not in both.
    pub rows: Vec<Row>,
    /// How many cannot be shown to have changed.
    pub same: usize,
}

/// One client in one scenario.
pub(super) struct Row {
    pub word: &'static str,
    pub class: &'static str,
    pub scenario: String,
    pub client: String,
    /// The place of its section; empty where it has none.
    pub anchor: String,
    pub what: String,
    pub figures: Option<Told>,
}

/// Its times, in words.
pub(super) struct Told {
    pub before: String,
    pub now: String,
    pub shift: String,
    pub interval: String,
    pub superiority: String,
    pub p: String,
}

impl Changes {
    pub fn of(comparison: &Comparison, cells: &[Placed]) -> Changes {
        let mut changes: Vec<&Change> =
            comparison.changes.iter().filter(|change| change.kind != ChangeKind::Same).collect();
        changes.sort_by_key(|change| words(change.kind).0);
        Changes {
            baseline: comparison.baseline.clone(),
            began: comparison.began.clone(),
            pgsquall: comparison.pgsquall.clone(),
            tolerance: comparison.tolerance.clone(),
            confidence: format!("{} %", (comparison.confidence * 1000.0).round() / 10.0),
            same: comparison.changes.len() - changes.len(),
            rows: changes.into_iter().map(|change| row(change, cells)).collect(),
        }
    }
}

fn row(change: &Change, cells: &[Placed]) -> Row {
    let (_, word, class) = words(change.kind);
    let is_same = |placed: &&Placed| placed.cell.client == change.client && placed.cell.scenario == change.scenario;
    let place = cells.iter().find(is_same).filter(|placed| placed.cell.worst().is_some());
    Row {
        word,
        class,
        scenario: change.scenario.clone(),
        client: change.client.clone(),
        anchor: place.map(|placed| placed.anchor.clone()).unwrap_or_default(),
        what: change.what.clone(),
        figures: change.times.as_ref().map(told),
    }
}

/// Where it stands, the word for it, and its class.
fn words(kind: ChangeKind) -> (u8, &'static str, &'static str) {
    match kind {
        ChangeKind::Worse => (0, "worse", "fail"),
        ChangeKind::Better => (1, "better", "pass"),
        ChangeKind::New => (2, "new", "none"),
        ChangeKind::Gone => (3, "gone", "none"),
        ChangeKind::NotComparable => (4, "not comparable", "none"),
        ChangeKind::Same => (5, "same", "none"),
    }
}

fn told(times: &Times) -> Told {
    let bound = |bound: Option<i64>| bound.map_or_else(|| "?".to_owned(), signed);
    Told {
        before: figures(&times.before),
        now: figures(&times.now),
        shift: times.shift_us.map_or_else(|| "unknown".to_owned(), signed),
        interval: format!("{} … {}", bound(times.shift_low_us), bound(times.shift_high_us)),
        superiority: format!("{:.2}", times.superiority),
        p: if times.p < 0.0001 { "< 0.0001".to_owned() } else { format!("{:.4}", times.p) },
    }
}

fn figures(figures: &Figures) -> String {
    let median = figures.median_us.map(|us| show(Duration::from_micros(us)));
    let median = median.unwrap_or_else(|| "unknown".to_owned());
    let cut = if figures.censored > 0 { format!(", {} cut off", figures.censored) } else { String::new() };
    format!("{median} (n {}{cut})", figures.runs)
}

/// A difference with its sign.
fn signed(us: i64) -> String {
    let size = show(Duration::from_micros(us.unsigned_abs()));
    match us {
        0 => size,
        1.. => format!("+{size}"),
        _ => format!("−{size}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_a_sign_and_what_is_not_known_is_no_number() {
        assert_eq!([signed(0), signed(1_500), signed(-2_000_000)], ["0 µs", "+1.50 ms", "−2.00 s"]);
        let side = |censored| Figures { runs: 20, censored, median_us: (censored < 10).then_some(400_000) };
        let times = Times {
            before: side(0),
            now: side(12),
            shift_us: None,
            shift_low_us: Some(250_000),
            shift_high_us: None,
            superiority: 0.981,
            p: 0.000_001,
        };
        let Told { before, now, shift, interval, superiority, p } = told(&times);
        assert_eq!([before, now], ["400 ms (n 20)", "unknown (n 20, 12 cut off)"]);
        assert_eq!([shift, interval, superiority, p], ["unknown", "+250 ms … ?", "0.98", "< 0.0001"]);
    }
}
