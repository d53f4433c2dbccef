//! Draws shades behind the picture: faults in force, pauses of the workload, and refused connections.

use super::course::Axis;
use super::labels::{fitted, place};
use super::{RIGHT, Shape, rect, text, upright};
use crate::report::timeline::{Timeline, Window};

/// Height of one lane of names.
const LANE: f64 = 15.0;
/// Least width of a shade, so that it is visible.
const NARROWEST: f64 = 1.5;

/// The names of the faults above the picture, and their bottom.
pub(super) fn names(timeline: &Timeline, axis: &Axis) -> (Vec<Shape>, f64) {
    let begun = timeline.faults.iter().filter_map(|window| Some((axis.x(window.begin()?), window)));
    // Equal names at the same place are drawn once.
    let mut wanted: Vec<(f64, String)> = Vec::new();
    for (x, window) in begun {
        let name = fitted(&window.what, (RIGHT - x).max(x) - 8.0);
        if !wanted.iter().any(|(other, text)| (other - x).abs() < 1.0 && *text == name) {
            wanted.push((x, name));
        }
    }
    let labels = place(wanted, RIGHT);
    let lanes = labels.iter().map(|label| label.lane + 1).max().unwrap_or(0) as f64;
    let bottom = lanes * LANE + 6.0;
    let mut shapes = Vec::new();
    for label in labels {
        // The first lane is the lowest, next to the shades.
        let y = bottom - 8.0 - label.lane as f64 * LANE;
        shapes.push(upright("leader", label.at, y - 9.0, bottom, String::new()));
        shapes.push(text(if label.is_before { "name end" } else { "name" }, label.x, y, label.text));
    }
    (shapes, bottom)
}

/// The shades.
pub(super) fn shades(timeline: &Timeline, axis: &Axis, top: f64, bottom: f64) -> Vec<Shape> {
    let height = bottom - top;
    let shade =
        |class, from: f64, to: f64, title| rect(class, (from, top), ((to - from).max(NARROWEST), height), title);
    let mut shapes = Vec::new();
    for window in &timeline.faults {
        let Some(from) = window.begin() else { continue };
        let title = words(window, axis);
        match (window.is_instant, window.healed) {
            (true, _) => shapes.push(upright("instant", axis.x(from), top, bottom, title)),
            (false, to) => shapes.push(shade("fault", axis.x(from), axis.x(to.unwrap_or(timeline.until)), title)),
        }
    }
    let spans = [
        ("pause", "The workload paused", timeline.pause.as_slice()),
        ("refusing", "Connections were refused", &timeline.refusing),
    ];
    for (class, what, spans) in spans {
        for (from, to) in spans {
            let title = format!("{what} from {} to {}", axis.words(*from), axis.words(*to));
            shapes.push(shade(class, axis.x(*from), axis.x(*to), title));
        }
    }
    shapes
}

/// The title of a fault's shade: its name and instants.
fn words(window: &Window, axis: &Axis) -> String {
    let steps = [
        ("injecting", window.injecting),
        ("in force", window.in_force),
        ("healing", window.healing),
        ("healed", window.healed),
    ];
    let steps = steps.into_iter().filter_map(|(step, at)| Some(format!("{step} {}", axis.words(at?))));
    format!("{}: {}", window.what, steps.collect::<Vec<_>>().join(", "))
}
