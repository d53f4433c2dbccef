//! Draws the instants between which figures are measured, each as a line with a label.

use std::time::Duration;

use super::course::Axis;
use super::labels::place;
use super::{RIGHT, Shape, text, upright};
use crate::model::time::show;
use crate::report::timeline::Timeline;

/// Height of one lane of labels.
const LANE: f64 = 15.0;

/// The marks: CSS class, instant, and label with the measured time.
fn marks(timeline: &Timeline) -> Vec<(&'static str, Duration, String)> {
    let marks = &timeline.marks;
    let since = |word: &str, from: Option<Duration>, to: Option<Duration>| {
        let (from, to) = (from?, to?);
        Some((to, format!("{word} {}", show(to.saturating_sub(from)))))
    };
    let (hit, start) = (marks.hit, marks.recovery_starts);
    let all = [
        ("mark", start.filter(|start| Some(*start) != hit).map(|start| (start, "clock starts".to_owned()))),
        ("mark", since("noticed", hit, marks.detected)),
        ("mark", since("first success", start, marks.first_success)),
        ("mark recovered", since("recovered", start, marks.recovered)),
        ("mark budget", since("budget ends", start, marks.budget_ends)),
        ("mark", timeline.audit.map(|at| (at, "audit".to_owned()))),
    ];
    all.into_iter().filter_map(|(class, mark)| mark.map(|(at, words)| (class, at, words))).collect()
}

/// The lines of all marks except those after the end of the timeline.
pub(super) fn lines(timeline: &Timeline, axis: &Axis, top: f64, bottom: f64) -> Vec<Shape> {
    let known = |at: Duration| at <= timeline.until;
    let marks = marks(timeline).into_iter().filter(|(_, at, _)| known(*at));
    marks.map(|(class, at, words)| upright(class, axis.x(at), top, bottom, words)).collect()
}

/// The labels below the panel that ends at `top`, and their height.
pub(super) fn labels(timeline: &Timeline, axis: &Axis, top: f64) -> (Vec<Shape>, f64) {
    let beyond = |at: Duration| if at > timeline.until { " →" } else { "" };
    let wanted = marks(timeline).into_iter().map(|(_, at, words)| (axis.x(at), words + beyond(at))).collect();
    let labels = place(wanted, RIGHT);
    let lanes = labels.iter().map(|label| label.lane + 1).max().unwrap_or(0);
    let shapes = labels.into_iter().map(|label| {
        let y = top + 14.0 + label.lane as f64 * LANE;
        text(if label.is_before { "label end" } else { "label" }, label.x, y, label.text)
    });
    (shapes.collect(), lanes as f64 * LANE + 4.0)
}
