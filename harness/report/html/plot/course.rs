//! Draws one run over one time axis: faults, operations by latency, the rate, marks and connections. Pure.

use std::time::Duration;

use super::scale::Time;
use super::{Drawing, LEFT, Number, RIGHT, Shape, level, text, uprights};
use super::{connections, marks, operations, rate, windows};
use crate::report::timeline::Timeline;

/// Height of the panel of operations.
const OPERATIONS: f64 = 140.0;
/// Height of the panel of the rate.
const RATE: f64 = 32.0;
/// Distance between panels.
const GAP: f64 = 10.0;
/// Approximate number of ticks on the time axis.
const TICKS: usize = 12;

/// The time axis: seconds from the first injection, or from the run's origin without one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub time: Time,
    origin: f64,
}

impl Axis {
    fn new(timeline: &Timeline) -> Axis {
        let origin = timeline.marks.hit.unwrap_or_default().as_secs_f64();
        // Before the first operation, connection or fault the run was only being set up.
        let ops = timeline.ops.iter().map(|op| op.from);
        let connections = timeline.connections.iter().map(|line| line.opened);
        let begin = ops.chain(connections).chain(timeline.marks.hit).min().unwrap_or_default().as_secs_f64();
        let until = timeline.until.as_secs_f64().max(begin + 0.001);
        Axis { time: Time { from: begin - origin, to: until - origin, left: LEFT, right: RIGHT }, origin }
    }

    pub fn x(&self, at: Duration) -> f64 {
        self.time.x(at.as_secs_f64() - self.origin)
    }

    /// An instant in seconds of the axis.
    pub fn words(&self, at: Duration) -> String {
        let seconds = at.as_secs_f64() - self.origin;
        format!("{}{:.3} s", if seconds < 0.0 { "−" } else { "+" }, seconds.abs())
    }
}

/// Draws one run; returns the drawing and its caption.
pub(crate) fn course(id: String, title: String, description: String, timeline: &Timeline) -> (Drawing, String) {
    let axis = Axis::new(timeline);
    let (names, top) = windows::names(timeline, &axis);
    let bottom = top + OPERATIONS;
    let latency = operations::latencies(timeline, top, bottom);
    let (labels, lanes) = marks::labels(timeline, &axis, bottom);
    let rate_top = bottom + lanes + GAP;
    let lines_top = rate_top + RATE + GAP;
    let (lines, lines_bottom, caption) = connections::lines(timeline, &axis, lines_top);

    let mut shapes = windows::shades(timeline, &axis, top, lines_bottom);
    shapes.extend(grid(&axis, top, lines_bottom));
    shapes.extend(operations::grid(&latency));
    shapes.extend(level("axis", [rate_top + RATE, lines_bottom]));
    shapes.extend(names);
    shapes.extend(rate::bars(timeline, &axis, rate_top, rate_top + RATE));
    shapes.extend(lines);
    shapes.extend(operations::operations(timeline, &axis, &latency));
    shapes.extend(marks::lines(timeline, &axis, top, lines_bottom));
    shapes.extend(labels);
    let height = Number(lines_bottom + 34.0);
    (Drawing { id, title, description, height, shapes }, caption)
}

/// Grid lines at round instants, with labels below.
fn grid(axis: &Axis, top: f64, bottom: f64) -> Vec<Shape> {
    let ticks = axis.time.ticks(TICKS);
    let places =
        |is_zero: bool| ticks.iter().filter(move |(at, _)| (*at == 0.0) == is_zero).map(|(at, _)| axis.time.x(*at));
    let lines = [uprights("grid", places(false), top, bottom), uprights("zero", places(true), top, bottom)];
    let mut shapes: Vec<_> = lines.into_iter().flatten().collect();
    shapes.extend(ticks.into_iter().map(|(at, word)| text("tick mid", axis.time.x(at), bottom + 14.0, word)));
    let zero = if axis.origin > 0.0 { "seconds from the first injection" } else { "seconds from the run’s origin" };
    shapes.push(text("tick end", RIGHT, bottom + 29.0, zero));
    shapes
}
