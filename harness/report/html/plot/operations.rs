//! Draws operations: each as a line from its intended start to its end, at the height of its latency, with a sign for
//! its outcome.

use std::collections::BTreeMap;

use super::course::Axis;
use super::grid::{Spans, Spots};
use super::scale::Logarithmic;
use super::{LEFT, RIGHT, Shape, level, path, text};
use crate::judge::by_frequency;
use crate::model::history::Outcome;
use crate::report::timeline::{Bar, Timeline};

/// Spot sizes for successes: the size of the dot, or coarser.
const DOT: &[i32] = &[2, 3, 4, 6];
/// Spot sizes for other outcomes: half of their sign, so that a row remains a row of signs, or coarser.
const SIGN: &[i32] = &[4, 6, 8];
/// Operations narrower than this are drawn as a point without a line.
const SHORTEST: f64 = 2.0;

/// The latency axis around all latencies.
pub(super) fn latencies(timeline: &Timeline, top: f64, bottom: f64) -> Logarithmic {
    Logarithmic::around(timeline.ops.iter().map(|op| latency(op, timeline)), (bottom, top))
}

/// Grid lines at powers of ten, with labels at the left.
pub(super) fn grid(axis: &Logarithmic) -> Vec<Shape> {
    let ticks = axis.ticks();
    let lines = level("grid", ticks.iter().map(|(y, _)| *y));
    let words = ticks.iter().map(|(y, word)| text("tick end", LEFT - 8.0, y + 4.0, *word));
    lines.into_iter().chain(words).collect()
}

/// All operations; successes are drawn first, so they do not cover the others.
pub(super) fn operations(timeline: &Timeline, axis: &Axis, latencies: &Logarithmic) -> Vec<Shape> {
    let kinds = [
        (Outcome::Ok, "took-ok", "ok", DOT, "succeeded"),
        (Outcome::Info, "took-info", "info", SIGN, "indeterminate"),
        (Outcome::Fail, "took-fail", "fail", SIGN, "failed"),
    ];
    let mut shapes = Vec::new();
    let mut open = Spots::new(SIGN);
    for (outcome, took, sign, size, word) in kinds {
        let (mut spans, mut spots) = (Spans::default(), Spots::new(size));
        for op in timeline.ops.iter().filter(|op| op.outcome == outcome) {
            let y = latencies.place(latency(op, timeline));
            let (from, to) = (axis.x(op.from), axis.x(op.to.unwrap_or(timeline.until)));
            if to - from >= SHORTEST {
                spans.put(from, to, y);
            }
            match op.to {
                Some(_) => spots.put(to, y),
                None => open.put(RIGHT, y),
            }
        }
        let drawn = if outcome == Outcome::Ok { spots.strokes() } else { spots.corners() };
        shapes.extend(path(took, spans.path(), String::new()));
        shapes.extend(path(sign, drawn, title(timeline, outcome, word)));
    }
    let never: u64 = timeline.ops.iter().filter(|op| op.to.is_none()).map(|op| op.count).sum();
    shapes.extend(path("open", open.corners(), format!("still open at the end of the workload: {never}")));
    shapes
}

/// Latency of an operation up to its end, or up to the end of the timeline if it is still open.
fn latency(op: &Bar, timeline: &Timeline) -> std::time::Duration {
    op.to.unwrap_or(timeline.until).saturating_sub(op.from)
}

fn title(timeline: &Timeline, outcome: Outcome, word: &str) -> String {
    let (mut count, mut errors) = (0, BTreeMap::<String, u64>::new());
    for op in timeline.ops.iter().filter(|op| op.outcome == outcome) {
        count += op.count;
        if let Some(error) = &op.error {
            *errors.entry(error.clone()).or_default() += op.count;
        }
    }
    if errors.is_empty() { format!("{word}: {count}") } else { format!("{word}: {count} ({})", by_frequency(&errors)) }
}
