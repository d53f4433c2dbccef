//! The table: one row for each scenario, its repeats taken together, under the cause that its group stands for.

use std::time::Duration;

use comfy_table::{Cell, Color, ContentArrangement, LineStyle, Table, TableStyle};
use pgsquall::Run;
use pgsquall::judge::{Recovery, VerdictKind};
use pgsquall::report::text::{errors, evidence, optional, recovery};
use pgsquall::scenario::cause_of;
use pgsquall::time::show;

use super::jobs::{Done, Ending};

/// A line under the header and nothing else: rows are short, and a log keeps them readable.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

const COLUMNS: [&str; 9] =
    ["scenario", "verdict", "plane", "noticed", "first ok", "recovered", "errors", "worst op", "evidence"];

/// What the name of a group ends with, and no name of a scenario does.
const MARK: char = '/';

fn table(results: &[Done]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(COLUMNS);
    // A single group needs no name: its scenarios were asked for by theirs.
    let grouped = results.iter().any(|job| results.first().is_some_and(|first| first.group != job.group));
    let (mut rest, mut group) = (results, "");
    while let Some(first) = rest.first() {
        if grouped && first.group != group {
            group = &first.group;
            table.add_row([format!("{group}{MARK}")]);
        }
        let same = rest.iter().take_while(|job| job.scenario == first.scenario).count();
        let (repeats, others) = rest.split_at(same);
        table.add_row(row(repeats));
        rest = others;
    }
    table
}

/// The table as text; a row that names a group becomes a line of its own, with the cause, where there is no column to
/// fit.
pub fn text(results: &[Done]) -> String {
    let mut text = String::new();
    for line in table(results).trim_fmt().lines() {
        let group = line.trim().strip_suffix(MARK);
        match group.map(|group| (group, cause_of(group))) {
            Some((group, Some(cause))) => text += &format!("\n {group}/  {cause}\n"),
            Some(_) => text += "\n files of yours\n",
            None => text += &format!("{line}\n"),
        }
    }
    text
}

fn row(repeats: &[Done]) -> Vec<Cell> {
    let name = repeats.first().map_or("", |job| job.scenario.as_str());
    let runs: Vec<&Run> = repeats
        .iter()
        .filter_map(|job| match &job.ending {
            Ending::Judged(run) => Some(run.as_ref()),
            _ => None,
        })
        .collect();
    let Some(worst) = runs.iter().max_by_key(|run| run.verdict.verdict) else {
        let state = match repeats.first().map(|job| &job.ending) {
            Some(Ending::Skipped(_)) => "skipped",
            Some(Ending::Interrupted) => "stopped",
            _ => "not carried out",
        };
        return vec![Cell::new(name), Cell::new(state).fg(Color::DarkGrey)];
    };
    let measures = &worst.verdict.measures;
    let recovered = match runs.len() {
        1 => recovery(&measures.time_to_recover),
        _ => distribution(&runs),
    };
    vec![
        Cell::new(name),
        verdict(worst.verdict.verdict, &runs),
        Cell::new(worst.verdict.plane),
        Cell::new(optional(
            measures.time_to_detect,
            if worst.verdict.application.is_some() { "unseen" } else { "masked" },
        )),
        Cell::new(optional(measures.time_to_first_success, "never")),
        Cell::new(recovered),
        Cell::new(errors(&worst.verdict).replace(", ", "\n")),
        Cell::new(measures.worst_op.as_ref().map_or_else(String::new, |op| format!("{} {}", show(op.took), op.kind))),
        Cell::new(evidence(&worst.verdict).replace(", ", "\n")),
    ]
}

fn verdict(worst: VerdictKind, runs: &[&Run]) -> Cell {
    let colour = match worst {
        VerdictKind::Pass => Color::Green,
        VerdictKind::Unknown => Color::Yellow,
        VerdictKind::Fail => Color::Red,
    };
    let same = runs.iter().filter(|run| run.verdict.verdict == worst).count();
    let text = if runs.len() == 1 { worst.to_string() } else { format!("{worst} {same}/{}", runs.len()) };
    Cell::new(text).fg(colour)
}

/// `n`, median, 95th percentile and maximum of the repeats; those that never recovered are counted, never averaged.
fn distribution(runs: &[&Run]) -> String {
    let mut times: Vec<Duration> = Vec::new();
    let mut censored = 0;
    for run in runs {
        match run.verdict.measures.time_to_recover {
            Recovery::Recovered { after } => times.push(after),
            Recovery::Censored { .. } => censored += 1,
            Recovery::NotMeasured => {}
        }
    }
    times.sort_unstable();
    let n = times.len() + censored;
    // Ranks count the censored ones as longer than all others.
    let at = |share: f64| {
        let rank = ((n as f64 * share).ceil() as usize).clamp(1, n.max(1)) - 1;
        times.get(rank).map_or_else(|| "never".to_owned(), |time| show(*time))
    };
    let mut text = format!("p50 {}, p95 {}, max {}, n {n}", at(0.5), at(0.95), at(1.0));
    if censored > 0 {
        text += &format!(", {censored} never");
    }
    text
}
