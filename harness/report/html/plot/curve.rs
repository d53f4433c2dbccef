//! Draws the share of repeats that had recovered over time: for each client a step curve with its confidence band.

use std::fmt::Write;
use std::time::Duration;

use super::super::distribution::CONFIDENCE;
use super::labels::fitted;
use super::scale::Logarithmic;
use super::{Drawing, LEFT, Number, RIGHT, Shape, path, text, upright, uprights};
use crate::model::time::show;
use crate::statistics::{Sample, Survival};

const TOP: f64 = 8.0;
const BOTTOM: f64 = 128.0;
/// Right end of the curves; their names follow.
const END: f64 = RIGHT - 260.0;
/// Least vertical distance between two names.
const LINE: f64 = 14.0;
/// CSS classes of a curve: colour and dashes both differ, so neither alone is needed to distinguish curves.
const LOOKS: [[&str; 3]; 6] = [
    ["band c0", "curve c0", "c0"],
    ["band c1", "curve c1", "c1"],
    ["band c2", "curve c2", "c2"],
    ["band c3", "curve c3", "c3"],
    ["band c4", "curve c4", "c4"],
    ["band c5", "curve c5", "c5"],
];

/// A share at a time, and the bounds of its band.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    x: f64,
    share: f64,
    lower: f64,
    upper: f64,
}

/// Draws the samples with their clients' names; `None` if no sample has an observation.
pub(crate) fn curve(id: String, title: String, samples: &[(String, Sample)], budget: Duration) -> Option<Drawing> {
    let times = samples.iter().flat_map(|(_, sample)| sample.sorted()).map(|observation| observation.time());
    let axis = Logarithmic::around(times, (LEFT, END));
    let mut shapes: Vec<Shape> = Vec::new();
    let ticks = axis.ticks();
    shapes.extend(uprights("grid", ticks.iter().map(|(x, _)| *x), TOP, BOTTOM));
    shapes.extend(ticks.into_iter().map(|(x, word)| text("tick mid", x, BOTTOM + 14.0, word)));
    shapes.extend(path("grid", [0.5, 1.0].map(|share| level(y(share))).concat(), String::new()));
    shapes.extend(path("axis", level(BOTTOM), String::new()));
    shapes.extend(
        [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")]
            .map(|(share, word)| text("tick end", LEFT - 8.0, y(share) + 4.0, word)),
    );
    shapes.push(text("tick end", END, BOTTOM + 29.0, "time until recovered, logarithmic"));
    if axis.holds(budget) {
        shapes.push(upright("mark budget", axis.place(budget), TOP, BOTTOM, format!("budget {}", show(budget))));
    }
    let lines: Vec<_> =
        samples.iter().filter_map(|(client, sample)| Some((client, sample, points(sample, &axis)?))).collect();
    for ((_, _, points), [band, line, _]) in lines.iter().zip(LOOKS.iter().cycle()) {
        shapes.extend(path(band, area(points), String::new()));
        shapes.extend(path(line, steps(points.iter().map(|point| (point.x, y(point.share)))), String::new()));
    }
    let mut ends: Vec<_> =
        lines.iter().map(|(_, _, points)| points.last().map_or(BOTTOM, |point| y(point.share))).collect();
    spread(&mut ends);
    let mut bottom = BOTTOM;
    for (((client, _, points), [.., look]), y) in lines.iter().zip(LOOKS.iter().cycle()).zip(&ends) {
        let words = format!("{} {}", end(points), fitted(client, RIGHT - END - 110.0));
        shapes.push(text(look, END + 8.0, y + 4.0, words));
        bottom = bottom.max(*y);
    }
    let sentences = lines.iter().map(|(client, sample, points)| {
        format!(
            "{client}: {} runs, {} without recovery; {} recovered in the end.",
            sample.len(),
            sample.censored(),
            end(points)
        )
    });
    let description = sentences.collect::<Vec<_>>().join(" ");
    (!lines.is_empty()).then_some(Drawing { id, title, description, height: Number(bottom + 34.0), shapes })
}

fn y(share: f64) -> f64 {
    BOTTOM - share * (BOTTOM - TOP - 6.0)
}

/// A horizontal line from edge to edge.
fn level(y: f64) -> String {
    format!("M{} {}H{}", Number(LEFT), Number(y), Number(END))
}

/// The final share and its confidence interval: `95 % [75–100]`.
fn end(points: &[Point]) -> String {
    points.last().map_or_else(String::new, |point| {
        let [share, lower, upper] = [point.share, point.lower, point.upper].map(|share| share * 100.0);
        format!("{share:.0} % [{lower:.0}–{upper:.0}]")
    })
}

/// The points at which the share changes, from the left edge to the end of the observation.
fn points(sample: &Sample, axis: &Logarithmic) -> Option<Vec<Point>> {
    let survival = Survival::of(sample, CONFIDENCE)?;
    let at = |x: f64, time: Duration| {
        let share = survival.recovered_at(time)?;
        Some(Point { x, share: share.estimate, lower: share.lower, upper: share.upper })
    };
    let longest = sample.sorted().last()?;
    let mut points = vec![at(LEFT, Duration::ZERO)?];
    points.extend(survival.steps().iter().filter_map(|step| at(axis.place(step.at), step.at)));
    // After a censored longest observation nothing is known, so the curve ends there.
    let end = if longest.is_censored() { axis.place(longest.time()) } else { END };
    points.extend(at(end, longest.time()));
    Some(points)
}

/// A step line: each height is kept until the next point.
fn steps(mut points: impl Iterator<Item = (f64, f64)>) -> String {
    let Some((x, y)) = points.next() else { return String::new() };
    let mut d = format!("M{} {}", Number(x), Number(y));
    for (x, y) in points {
        // Writing to a String cannot fail.
        let _ = write!(d, "H{}V{}", Number(x), Number(y));
    }
    d
}

/// The area of a band, from the first recovery on.
fn area(points: &[Point]) -> String {
    let points = points.get(1..).filter(|points| points.len() > 1).unwrap_or_default();
    if points.is_empty() {
        return String::new();
    }
    let mut d = steps(points.iter().map(|point| (point.x, y(point.upper))));
    for pair in points.windows(2).rev() {
        let _ = write!(d, "L{} {}H{}", Number(pair[1].x), Number(y(pair[0].lower)), Number(pair[0].x));
    }
    d + "z"
}

/// Moves heights down until each is a line below the one above it.
fn spread(heights: &mut [f64]) {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|one, other| heights[*one].total_cmp(&heights[*other]));
    for pair in order.windows(2) {
        heights[pair[1]] = heights[pair[1]].max(heights[pair[0]] + LINE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Observation;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn curve_rises_at_recoveries_and_ends_with_the_observation() {
        let sample = Sample::new([
            Observation::Recovered(ms(10)),
            Observation::Recovered(ms(100)),
            Observation::Censored(ms(1_000)),
        ]);
        let axis = Logarithmic::around([ms(10), ms(10_000)].into_iter(), (LEFT, END));
        let points = points(&sample, &axis).unwrap();
        let shares: Vec<_> = points.iter().map(|point| (point.share * 3.0).round()).collect();
        assert_eq!(shares, [0.0, 1.0, 2.0, 2.0]);
        assert_eq!(points.last().unwrap().x, axis.place(ms(1_000)));
        assert!(points.iter().all(|point| point.lower <= point.share && point.share <= point.upper));
    }

    #[test]
    fn curve_names_do_not_overlap() {
        let mut heights = [20.0, 20.0, 100.0, 22.0];
        spread(&mut heights);
        assert_eq!(heights, [20.0, 34.0, 100.0, 48.0]);
    }

    #[test]
    fn empty_samples_have_no_curve() {
        assert_eq!(curve("x".into(), "Times".into(), &[], ms(5_000)), None);
    }
}
