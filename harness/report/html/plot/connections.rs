//! Draws connections through the gateway: a line for each, on as few rows as possible, with a sign for who ended it.

use std::collections::{BTreeMap, BTreeSet};

use super::course::Axis;
use super::grid::{Spans, Spots};
use super::packing::pack;
use super::{LEFT, Shape, path, text};
use crate::judge::by_frequency;
use crate::model::history::Severed;
use crate::report::timeline::{Lifeline, Timeline};

/// Height of a row.
const ROW: f64 = 6.0;
/// Most rows in a picture; more would be unreadable.
const MOST_ROWS: usize = 24;
/// Distance between two lines of one row, with room for the sign of an end.
const DISTANCE: f64 = 6.0;

/// Side of the spots for events on a line.
const FINE: &[i32] = &[2];

/// A line in whole units; equal lines are drawn once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    from: i32,
    to: i32,
    signed_in: Option<i32>,
    ended: Option<usize>,
}

/// The ways to end, each with its class and words. Connections ended by the end of the run have no sign.
const ENDS: [(Severed, &str, &str); 8] = [
    (Severed::ByClient, "end-client", "closed by the client"),
    (Severed::ClientReset, "end-client", "reset by the client"),
    (Severed::ByServer, "end-server", "closed by the server"),
    (Severed::ServerReset, "end-server", "reset by the server"),
    (Severed::Closed, "end-fault", "closed by the fault"),
    (Severed::Reset, "end-fault", "reset by the fault"),
    (Severed::Forgotten, "end-path", "dropped from a connection table"),
    (Severed::Unreachable, "end-path", "server unreachable"),
];

/// The lines below `top`, their bottom, and the caption.
pub(super) fn lines(timeline: &Timeline, axis: &Axis, top: f64) -> (Vec<Shape>, f64, String) {
    let lines: BTreeSet<Line> = timeline.connections.iter().map(|one| line(one, timeline, axis)).collect();
    let extents = lines.iter().map(|line| (f64::from(line.from), f64::from(line.to)));
    let rows = pack(extents, DISTANCE, MOST_ROWS);
    let count = rows.iter().flatten().max().map_or(1, |row| row + 1);
    // Even, so that rows are on the grid.
    let top = (top / 2.0).round() * 2.0;
    let y = |row: usize| top + 4.0 + row as f64 * ROW;

    let (mut attempts, mut sessions, mut signed) = (Spans::default(), Spans::default(), Spots::new(FINE));
    let mut ends: Vec<Spots> = ENDS.iter().map(|_| Spots::new(FINE)).collect();
    let mut place = BTreeMap::new();
    for (line, row) in lines.iter().zip(&rows) {
        let Some(row) = row else { continue };
        place.insert(*line, y(*row));
        let inside = line.signed_in.unwrap_or(line.to);
        attempts.put(line.from.into(), inside.into(), y(*row));
        if line.signed_in.is_some() {
            sessions.put(inside.into(), line.to.into(), y(*row));
            signed.put(inside.into(), y(*row));
        }
        if let Some(end) = line.ended {
            ends[end].put(line.to.into(), y(*row));
        }
    }
    let mut shapes = Vec::new();
    shapes.extend(path("attempt", attempts.path(), String::new()));
    shapes.extend(path("session", sessions.path(), String::new()));
    shapes.extend(path("signed-in", signed.corners(), "signed in".to_owned()));
    for (index, (spots, (_, class, words))) in ends.into_iter().zip(ENDS).enumerate() {
        let count = timeline.connections.iter().filter(|one| end(one) == Some(index)).count();
        shapes.extend(path(class, spots.corners(), format!("{words}: {count}")));
    }
    let (errors, counts) = errors(timeline, axis, &place);
    shapes.extend(errors);
    shapes.push(text("tick end", LEFT - 8.0, top + 8.0, "connections"));
    if count > 2 {
        shapes.push(text("tick end", LEFT - 8.0, top + 22.0, timeline.connections.len().to_string()));
    }
    let omitted = rows.iter().filter(|row| row.is_none()).count();
    (shapes, y(count.max(3) - 1) + 6.0, caption(timeline, lines.len(), omitted, &counts))
}

fn line(one: &Lifeline, timeline: &Timeline, axis: &Axis) -> Line {
    let whole = |at| axis.x(at).round() as i32;
    let to = one.ended.map_or(timeline.until, |(at, _)| at);
    Line { from: whole(one.opened), to: whole(to), signed_in: one.signed_in.map(whole), ended: end(one) }
}

/// Index of the connection's end in [`ENDS`].
fn end(one: &Lifeline) -> Option<usize> {
    let (_, by) = one.ended?;
    ENDS.iter().position(|(known, ..)| *known == by)
}

/// Signs of the errors that the server reported, and their counts by SQLSTATE in words.
fn errors(timeline: &Timeline, axis: &Axis, place: &BTreeMap<Line, f64>) -> (Vec<Shape>, String) {
    let mut found: BTreeMap<String, (u64, Spots)> = BTreeMap::new();
    for one in &timeline.connections {
        let y = place.get(&line(one, timeline, axis));
        for (at, code) in &one.errors {
            let (count, spots) = found.entry(code.clone()).or_insert_with(|| (0, Spots::new(FINE)));
            *count += 1;
            y.into_iter().for_each(|y| spots.put(axis.x(*at), *y));
        }
    }
    let counts = found.iter().map(|(code, (count, _))| (code.clone(), *count)).collect();
    let shapes = found
        .into_iter()
        .filter_map(|(code, (count, spots))| path("error", spots.corners(), format!("{code}: {count}")));
    (shapes.collect(), by_frequency(&counts))
}

fn caption(timeline: &Timeline, different: usize, omitted: usize, errors: &str) -> String {
    let all = timeline.connections.len();
    let mut caption = match all {
        0 => "No connections.".to_owned(),
        1 => "1 connection.".to_owned(),
        all => format!("{all} connections."),
    };
    if different < all {
        caption += &format!(" Drawn as {different} lines, because some are equal.");
    }
    if omitted > 0 {
        caption += &format!(" {omitted} lines are left out: the picture has room for {MOST_ROWS} at a time.");
    }
    if !errors.is_empty() {
        caption += &format!(" Errors reported by the server: {errors}.");
    }
    caption
}
