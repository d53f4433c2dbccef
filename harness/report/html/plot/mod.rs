//! Pictures: pure layout, from what is known of runs to shapes with places.
//!
//! `course` draws one run in time, `strip` the times of all repeats, and `curve` those of several clients; `scale`, `grid`, `packing` and `labels` are what
//! they are laid out with. A picture is written out by a template, which decides nothing. Colours and line widths are the
//! style sheet's, by class.

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

/// Width of every picture; a unit is about a pixel on a wide screen.
const WIDTH: f64 = 960.0;
/// Where what is drawn begins and ends; words of the axes are left of it.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 948.0;

/// The signs of all pictures: class, path in a field of 34 by 14, and meaning.
pub(super) const LEGEND: [(&str, &str, &str); 21] = [
    ("ok", "m17 7h0", "operation succeeded"),
    ("fail", "m17 7h0", "operation failed: it did not happen"),
    ("info", "m17 7h0", "indeterminate: it may have happened"),
    ("took-ok", "m4 7h26", "from its intended start to its end"),
    ("open", "m17 7h0", "not ended when the workload did"),
    ("fault", "M2 1h30v12h-30z", "a fault was in force"),
    ("instant", "M17 1v12", "a fault of an instant"),
    ("pause", "M2 1h30v12h-30z", "the workload paused, on purpose"),
    ("refusing", "M2 1h30v12h-30z", "connections were refused"),
    ("mark recovered", "M17 1v12", "recovered"),
    ("mark budget", "M17 1v12", "the budget is spent"),
    ("mark", "M17 1v12", "another instant, named beside it"),
    ("session", "M4 7h26", "connection, signed in; before that a thin line"),
    ("signed-in", "m17 7h0", "signed in"),
    ("error", "m17 7h0", "the server reported an error"),
    ("end-client", "m17 7h0", "ended by the client"),
    ("end-server", "m17 7h0", "ended by the server"),
    ("end-fault", "m17 7h0", "ended by the fault"),
    ("end-path", "m17 7h0", "forgotten by the path, or server unreachable"),
    ("time", "m17 7h0", "a repeat that had recovered by then"),
    ("censored", "m8 7h0", "a repeat that had not, when it was last seen"),
];

/// A picture with its words for who does not see it.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(config = "harness/report/html/askama.toml", path = "drawing.html")]
pub(super) struct Drawing {
    /// A name of its own on the page.
    pub id: String,
    pub title: String,
    /// What it shows, in sentences.
    pub description: String,
    pub height: Number,
    pub shapes: Vec<Shape>,
}

impl Drawing {
    fn width(&self) -> Number {
        Number(WIDTH)
    }
}

/// What a picture is made of, in the order of drawing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Rect { class: &'static str, x: Number, y: Number, width: Number, height: Number, title: String },
    Path { class: &'static str, d: String, title: String },
    Text { class: &'static str, x: Number, y: Number, text: String },
}

/// A place, written with one decimal at most.
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

/// A line from top to bottom.
fn upright(class: &'static str, x: f64, top: f64, bottom: f64, title: String) -> Shape {
    Shape::Path { class, d: format!("M{} {}V{}", Number(x), Number(top), Number(bottom)), title }
}

/// Lines from edge to edge.
fn level(class: &'static str, all: impl IntoIterator<Item = f64>) -> Option<Shape> {
    let lines = all.into_iter().map(|y| format!("M{} {}H{}", Number(LEFT), Number(y), Number(RIGHT)));
    path(class, lines.collect(), String::new())
}

/// Lines from top to bottom.
fn uprights(class: &'static str, all: impl IntoIterator<Item = f64>, top: f64, bottom: f64) -> Option<Shape> {
    let lines = all.into_iter().map(|x| format!("M{} {}V{}", Number(x), Number(top), Number(bottom)));
    path(class, lines.collect(), String::new())
}

/// A path, unless it is empty.
fn path(class: &'static str, d: String, title: String) -> Option<Shape> {
    (!d.is_empty()).then_some(Shape::Path { class, d, title })
}
