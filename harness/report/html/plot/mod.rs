//! Pictures: pure layout, from timelines and samples to shapes with coordinates.
//!
//! `course` draws one run over time, `strip` the times of all repeats, and `curve` those of several clients; `scale`, `grid`,
//! `packing` and `labels` are layout helpers. A template writes the shapes unchanged. Colours and line widths come from the
//! style sheet, by class.

mod connections;
mod course;
mod curve;
mod grid;
mod labels;
mod marks;
mod operations;
mod packing;
mod rate;
mod scale;
mod strip;
mod windows;

use std::fmt;

use askama::Template;

pub(super) use course::course;
pub(super) use curve::curve;
pub(super) use strip::strip;

/// Width of every picture in units of about a pixel on a wide screen.
const WIDTH: f64 = 960.0;
/// Left and right edge of the plot area; axis labels are left of it.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 948.0;

/// The signs of all pictures: class, path in a field of 34 by 14, and meaning.
pub(super) const LEGEND: [(&str, &str, &str); 21] = [
    ("ok", "m17 7h0", "operation succeeded"),
    ("fail", "m17 7h0", "operation failed: it did not happen"),
    ("info", "m17 7h0", "indeterminate: it may have happened"),
    ("took-ok", "m4 7h26", "operation, from intended start to end"),
    ("open", "m17 7h0", "operation still open at the end of the workload"),
    ("fault", "M2 1h30v12h-30z", "fault in force"),
    ("instant", "M17 1v12", "instantaneous fault"),
    ("pause", "M2 1h30v12h-30z", "planned pause of the workload"),
    ("refusing", "M2 1h30v12h-30z", "connections refused"),
    ("mark recovered", "M17 1v12", "recovered"),
    ("mark budget", "M17 1v12", "end of the budget"),
    ("mark", "M17 1v12", "other instant, as labelled"),
    ("session", "M4 7h26", "connection; a thin line before sign-in"),
    ("signed-in", "m17 7h0", "signed in"),
    ("error", "m17 7h0", "error reported by the server"),
    ("end-client", "m17 7h0", "ended by the client"),
    ("end-server", "m17 7h0", "ended by the server"),
    ("end-fault", "m17 7h0", "ended by the fault"),
    ("end-path", "m17 7h0", "dropped from a connection table, or server unreachable"),
    ("time", "m17 7h0", "repeat that recovered at this time"),
    ("censored", "m8 7h0", "repeat that had not recovered when its run ended"),
];

/// A picture with its alternative text.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(config = "harness/report/html/askama.toml", path = "drawing.html")]
pub(super) struct Drawing {
    /// Unique id on the page.
    pub id: String,
    pub title: String,
    /// Alternative text, in sentences.
    pub description: String,
    pub height: Number,
    pub shapes: Vec<Shape>,
}

impl Drawing {
    fn width(&self) -> Number {
        Number(WIDTH)
    }
}

/// A shape of a picture; later ones cover earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Rect { class: &'static str, x: Number, y: Number, width: Number, height: Number, title: String },
    Path { class: &'static str, d: String, title: String },
    Text { class: &'static str, x: Number, y: Number, text: String },
}

/// A coordinate, written with at most one decimal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number(pub f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        // No "-0".
        write!(f, "{}", if tenths == 0.0 { 0.0 } else { tenths })
    }
}

fn rect(class: &'static str, (x, y): (f64, f64), (width, height): (f64, f64), title: String) -> Shape {
    let [x, y, width, height] = [x, y, width, height].map(Number);
    Shape::Rect { class, x, y, width, height, title }
}

fn text(class: &'static str, x: f64, y: f64, text: impl Into<String>) -> Shape {
    Shape::Text { class, x: Number(x), y: Number(y), text: text.into() }
}

/// A vertical line.
fn upright(class: &'static str, x: f64, top: f64, bottom: f64, title: String) -> Shape {
    Shape::Path { class, d: format!("M{} {}V{}", Number(x), Number(top), Number(bottom)), title }
}

/// Horizontal lines from edge to edge.
fn level(class: &'static str, all: impl IntoIterator<Item = f64>) -> Option<Shape> {
    let lines = all.into_iter().map(|y| format!("M{} {}H{}", Number(LEFT), Number(y), Number(RIGHT)));
    path(class, lines.collect(), String::new())
}

/// Vertical lines.
fn uprights(class: &'static str, all: impl IntoIterator<Item = f64>, top: f64, bottom: f64) -> Option<Shape> {
    let lines = all.into_iter().map(|x| format!("M{} {}V{}", Number(x), Number(top), Number(bottom)));
    path(class, lines.collect(), String::new())
}

/// A path; `None` if it is empty.
fn path(class: &'static str, d: String, title: String) -> Option<Shape> {
    (!d.is_empty()).then_some(Shape::Path { class, d, title })
}
