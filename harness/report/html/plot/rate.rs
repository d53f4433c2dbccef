//! Draws the rate of ended operations by outcome, which the grid does not show because it draws each spot once.

use std::fmt::Write;
use std::time::Duration;

use super::course::Axis;
use super::scale::step;
use super::{LEFT, Shape, path, text};
use crate::model::history::Outcome;
use crate::report::timeline::Timeline;

/// Most intervals along the picture.
const MOST: f64 = 150.0;

/// Stacked areas, each drawn down to the bottom and covered by the next: failed at the top, then indeterminate, then
/// successful operations.
pub(super) fn bars(timeline: &Timeline, axis: &Axis, top: f64, bottom: f64) -> Vec<Shape> {
    let width = step(timeline.until.as_secs_f64() / MOST);
    let counts = counts(timeline, width);
    let most = counts.iter().map(|stretch| stretch.iter().sum::<u64>()).max().unwrap_or(0);
    let scale = (bottom - top) / most.max(1) as f64;
    // A count of one stays visible beside thousands.
    let height = |count: u64| if count == 0 { 0.0 } else { (count as f64 * scale).round().max(1.0) };
    let at = |number: usize| axis.x(Duration::from_secs_f64(number as f64 * width)).round();
    let mut shapes = Vec::new();
    for (layers, class) in [(3, "rate-fail"), (2, "rate-info"), (1, "rate-ok")] {
        if counts.iter().all(|stretch| stretch[layers - 1] == 0) {
            continue;
        }
        let heights = counts.iter().map(|stretch| stretch[..layers].iter().map(|count| height(*count)).sum());
        shapes.extend(path(class, area(heights, at, bottom.round()), String::new()));
    }
    shapes.push(text("tick end", LEFT - 8.0, top + 11.0, "ended per s"));
    shapes.push(text("tick end", LEFT - 8.0, top + 25.0, format!("≤ {}", (most as f64 / width).round())));
    shapes
}

/// Operations per interval of this many seconds: ok, indeterminate, failed.
fn counts(timeline: &Timeline, width: f64) -> Vec<[u64; 3]> {
    let mut counts = vec![[0; 3]; (timeline.until.as_secs_f64() / width).ceil().max(1.0) as usize];
    let last = counts.len() - 1;
    for op in &timeline.ops {
        let Some(to) = op.to else { continue };
        let outcome = match op.outcome {
            Outcome::Ok => 0,
            Outcome::Info => 1,
            Outcome::Fail => 2,
        };
        counts[((to.as_secs_f64() / width) as usize).min(last)][outcome] += op.count;
    }
    counts
}

/// A closed step area of these heights.
fn area(heights: impl Iterator<Item = f64>, at: impl Fn(usize) -> f64, bottom: f64) -> String {
    let mut d = String::new();
    let mut last = 0.0;
    let mut end = 0;
    for (number, height) in heights.enumerate() {
        end = number + 1;
        if height == last {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = if d.is_empty() { write!(d, "M{} {bottom}", at(number)) } else { write!(d, "H{}", at(number)) };
        let _ = write!(d, "V{}", bottom - height);
        last = height;
    }
    if d.is_empty() { d } else { d + &format!("H{}V{bottom}z", at(end)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_has_a_corner_per_height_change() {
        let area = |heights: &[f64]| area(heights.iter().copied(), |number| 10.0 * number as f64, 100.0);
        assert_eq!(area(&[0.0, 5.0, 5.0, 8.0, 0.0, 0.0]), "M10 100V95H30V92H40V100H60V100z");
        assert_eq!(area(&[0.0, 0.0]), "");
    }
}
