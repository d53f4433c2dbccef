//! Draws points on a grid: operations and ends of connections at the same spot once, and neighbours as one stroke. Pure.
//!
//! A run has thousands of operations, and a page a hundred runs. A spot is about as small as the eye can distinguish,
//! so the picture looks the same, but its number of bytes depends on the size of the picture and not on the length of
//! the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Longest path in bytes before a coarser grid is used, if there is one: a page of a hundred busy runs is then below two
/// megabytes.
const LONGEST: usize = 6_000;

/// Points drawn as spots of a grid, each spot at most once.
#[derive(Clone, Debug)]
pub(super) struct Spots {
    /// Sides of a spot, the finest first; a coarser one is used if the path is too long.
    sizes: &'static [i32],
    points: Vec<(f64, f64)>,
}

impl Spots {
    pub fn new(sizes: &'static [i32]) -> Spots {
        Spots { sizes, points: Vec::new() }
    }

    pub fn put(&mut self, x: f64, y: f64) {
        self.points.push((x, y));
    }

    /// A path through all spots, for markers at its corners; empty if there are none.
    pub fn corners(&self) -> String {
        self.drawn(corners)
    }

    /// Strokes with round ends over all spots, neighbours as one; along columns or rows, the shorter of the two.
    pub fn strokes(&self) -> String {
        self.drawn(strokes)
    }

    fn drawn(&self, draw: fn(&BTreeSet<(i32, i32)>, i32) -> String) -> String {
        let mut path = String::new();
        for size in self.sizes {
            let spot = |value: f64| (value / f64::from(*size)).round() as i32;
            path = draw(&self.points.iter().map(|(x, y)| (spot(*x), spot(*y))).collect(), *size);
            if path.len() <= LONGEST {
                break;
            }
        }
        path
    }
}

fn corners(taken: &BTreeSet<(i32, i32)>, size: i32) -> String {
    let mut path = String::new();
    let mut last = (0, 0);
    for (column, row) in taken {
        let (x, y) = (column * size, row * size);
        // In a path, each pair of numbers after the first is a line.
        path.push_str(if path.is_empty() { "m" } else { " " });
        pair(&mut path, x - last.0, y - last.1);
        last = (x, y);
    }
    // A path of one point has no corner for a marker.
    if taken.len() == 1 { path + "h0" } else { path }
}

fn strokes(taken: &BTreeSet<(i32, i32)>, size: i32) -> String {
    let turned: BTreeSet<_> = taken.iter().map(|(column, row)| (*row, *column)).collect();
    let (down, along) = (runs(taken), runs(&turned));
    if down.len() < along.len() {
        path(down.into_iter().map(|(column, row, length)| (column * size, row * size, 0, length * size)))
    } else {
        path(along.into_iter().map(|(row, column, length)| (column * size, row * size, length * size, 0)))
    }
}

/// Runs of neighbours: number of the line, first spot, and distance of the last from it.
fn runs(taken: &BTreeSet<(i32, i32)>) -> Vec<(i32, i32, i32)> {
    let mut runs: Vec<(i32, i32, i32)> = Vec::new();
    for (line, place) in taken {
        match runs.last_mut() {
            Some((last, first, length)) if last == line && *first + *length + 1 == *place => *length += 1,
            _ => runs.push((*line, *place, 0)),
        }
    }
    runs
}

/// Horizontal strokes; touching strokes of one height are joined.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    rows: BTreeMap<i32, Vec<(i32, i32)>>,
}

impl Spans {
    pub fn put(&mut self, from: f64, to: f64, y: f64) {
        self.rows.entry(y.round() as i32).or_default().push((from.round() as i32, to.round() as i32));
    }

    pub fn path(mut self) -> String {
        let mut strokes = Vec::new();
        for (y, row) in &mut self.rows {
            row.sort_unstable();
            let mut merged: Vec<(i32, i32)> = Vec::new();
            for (from, to) in row {
                match merged.last_mut() {
                    Some((_, end)) if *from <= *end + 1 => *end = (*end).max(*to),
                    _ => merged.push((*from, *to)),
                }
            }
            strokes.extend(merged.into_iter().map(|(from, to)| (from, *y, to - from, 0)));
        }
        path(strokes.into_iter())
    }
}

/// A path of strokes, each given by its start and its extent to the right or down.
fn path(strokes: impl Iterator<Item = (i32, i32, i32, i32)>) -> String {
    let mut text = String::new();
    let mut last = (0, 0);
    for (x, y, right, down) in strokes {
        text.push('m');
        pair(&mut text, x - last.0, y - last.1);
        // A stroke of no length is a dot. Writing to a String cannot fail.
        let _ = if down > 0 { write!(text, "v{down}") } else { write!(text, "h{right}") };
        last = (x + right, y + down);
    }
    text
}

/// Two numbers, with a space between them if needed.
fn pair(text: &mut String, x: i32, y: i32) {
    let _ = if y < 0 { write!(text, "{x}{y}") } else { write!(text, "{x} {y}") };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spots(all: &[(f64, f64)]) -> Spots {
        let mut spots = Spots::new(&[2, 4, 8]);
        all.iter().for_each(|(x, y)| spots.put(*x, *y));
        spots
    }

    #[test]
    fn spots_are_drawn_once_and_neighbours_joined() {
        assert_eq!(spots(&[(10.0, 20.0), (10.4, 19.8), (10.9, 20.0)]).strokes(), "m10 20h0");
        assert_eq!(spots(&[(10.0, 20.0), (12.0, 20.0), (14.0, 20.0), (40.0, 8.0)]).strokes(), "m40 8h0m-30 12h4");
        assert_eq!(spots(&[(10.0, 20.0), (10.0, 22.0), (10.0, 24.0), (40.0, 8.0)]).strokes(), "m10 20v4m30-16h0");
        assert_eq!(spots(&[]).strokes(), "");
    }

    #[test]
    fn each_spot_has_a_marker() {
        assert_eq!(spots(&[(10.0, 20.0), (40.0, 8.0), (40.0, 8.0)]).corners(), "m10 20 30-12");
        assert_eq!(spots(&[(10.0, 20.0)]).corners(), "m10 20h0");
        assert_eq!(spots(&[]).corners(), "");
    }

    #[test]
    fn long_path_uses_a_coarser_grid() {
        let mut scattered = spots(&[]);
        for number in 0..3_000u32 {
            scattered.put(f64::from(number % 880), f64::from(number.wrapping_mul(2_654_435_761) >> 25));
        }
        assert!((1..2 * LONGEST).contains(&scattered.strokes().len()), "{}", scattered.strokes().len());
    }

    #[test]
    fn path_of_a_million_operations_is_bounded() {
        let mut all = spots(&[]);
        for number in 0..1_000_000u32 {
            all.put(f64::from(number % 880), f64::from(number / 880 % 150));
        }
        assert!(all.strokes().len() < LONGEST, "{}", all.strokes().len());
    }

    #[test]
    fn overlapping_strokes_are_joined() {
        let mut spans = Spans::default();
        for (from, to, y) in
            [(30.0, 50.0, 5.0), (10.0, 20.0, 5.2), (21.0, 30.0, 4.9), (60.0, 70.0, 5.0), (10.0, 90.0, 9.0)]
        {
            spans.put(from, to, y);
        }
        assert_eq!(spans.path(), "m10 5h40m10 0h10m-60 4h80");
    }
}
