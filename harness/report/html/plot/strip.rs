//! Draws the times-to-recover of repeats on one axis: a point for each recovered repeat, an arrow for each censored
//! one.

use std::time::Duration;

use super::grid::Spots;
use super::packing::pack;
use super::scale::Logarithmic;
use super::{Drawing, LEFT, Number, RIGHT, Shape, path, text, upright, uprights};
use crate::judge::Recovery;
use crate::model::time::show;

/// Height of a row of points.
const ROW: f64 = 8.0;
/// Most rows for points at the same place.
const MOST_ROWS: usize = 12;
/// Room for an arrow.
const ARROW: f64 = 24.0;

/// Draws the times; `None` if fewer than two are measured.
pub(crate) fn strip(id: String, title: String, times: &[Recovery], budget: Duration) -> Option<Drawing> {
    let mut sorted: Vec<(Duration, bool)> = times
        .iter()
        .filter_map(|time| match time {
            Recovery::Recovered { after } => Some((*after, true)),
            Recovery::Censored { beyond } => Some((*beyond, false)),
            Recovery::NotMeasured => None,
        })
        .collect();
    sorted.sort_unstable();
    (sorted.len() > 1).then_some(())?;
    // An arrow needs room to its right.
    let axis = Logarithmic::around(sorted.iter().map(|(time, _)| *time), (LEFT, RIGHT - ARROW));
    let places: Vec<f64> = sorted.iter().map(|(time, _)| axis.place(*time)).collect();
    let rows = pack(places.iter().map(|x| (*x, *x)), ROW, MOST_ROWS);
    let count = rows.iter().flatten().max().map_or(1, |row| row + 1);
    let bottom = 10.0 + count as f64 * ROW;
    let (mut points, mut arrows) = (Spots::new(&[2]), Spots::new(&[2]));
    for ((x, row), (_, recovered)) in places.iter().zip(&rows).zip(&sorted) {
        // If all rows are taken, the point covers one in the last row.
        let y = bottom - 6.0 - row.unwrap_or(MOST_ROWS - 1) as f64 * ROW;
        if *recovered { points.put(*x, y) } else { arrows.put(*x, y) }
    }
    let censored = sorted.iter().filter(|(_, recovered)| !recovered).count();
    let mut shapes: Vec<Shape> = Vec::new();
    let ticks = axis.ticks();
    shapes.extend(uprights("grid", ticks.iter().map(|(x, _)| *x), 2.0, bottom));
    shapes.extend(ticks.into_iter().map(|(x, word)| text("tick mid", x, bottom + 14.0, word)));
    if axis.holds(budget) {
        shapes.push(upright("mark budget", axis.place(budget), 2.0, bottom, format!("budget {}", show(budget))));
    }
    shapes.push(text("tick end", LEFT - 8.0, bottom - 3.0, "runs"));
    shapes.extend(path("time", points.corners(), format!("recovered: {}", sorted.len() - censored)));
    shapes.extend(path("censored", arrows.corners(), format!("not recovered when the run ended: {censored}")));
    shapes.push(text("tick end", RIGHT, bottom + 29.0, "time until recovered, logarithmic"));
    let all = sorted.iter().map(|(time, recovered)| format!("{}{}", if *recovered { "" } else { "> " }, show(*time)));
    let description =
        format!("{} runs, {censored} without recovery: {}.", sorted.len(), all.collect::<Vec<_>>().join(", "));
    Some(Drawing { id, title, description, height: Number(bottom + 34.0), shapes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn censored_times_are_arrows() {
        let ms = |ms: u64| Duration::from_millis(ms);
        let times = [
            Recovery::Recovered { after: ms(400) },
            Recovery::Censored { beyond: ms(10_000) },
            Recovery::NotMeasured,
            Recovery::Recovered { after: ms(410) },
        ];
        let drawing = strip("x".into(), "Times".into(), &times, ms(5_000)).unwrap();
        assert_eq!(drawing.description, "3 runs, 1 without recovery: 400 ms, 410 ms, > 10.0 s.");
        let paths = |wanted: &str| {
            drawing.shapes.iter().filter(|shape| matches!(shape, Shape::Path { class, .. } if *class == wanted)).count()
        };
        assert_eq!((paths("time"), paths("censored"), paths("mark budget")), (1, 1, 1));
        assert!(strip("x".into(), "Times".into(), &times[..1], ms(5_000)).is_none());
    }
}
