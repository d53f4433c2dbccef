//! Several clients at once: one table, scenarios down and clients across, on the terminal and as `matrix.md`, which is
//! written anew whenever a run has ended.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use pgsquall::judge::VerdictKind;
use pgsquall::report::text::recovery;

use super::jobs::{Done, Ending};

/// The file in the folder of `--out`.
const FILE: &str = "matrix.md";

/// Whether there is more than one client, so that results go into this table.
pub fn is_of(results: &[Done]) -> bool {
    results.iter().any(|job| results.first().is_some_and(|first| first.client != job.client))
}

/// What came of one client in one scenario, its repeats taken together, in a few words.
fn cell(runs: &[&Done]) -> String {
    let judged: Vec<_> = runs.iter().filter_map(|job| Some((&job.ending, job.verdict()?))).collect();
    let Some((Ending::Judged(worst), kind)) = judged.iter().max_by_key(|(_, kind)| *kind) else {
        return match runs.first().map(|job| &job.ending) {
            Some(Ending::Skipped(_)) => "skipped".into(),
            Some(Ending::Failed(_)) => "not carried out".into(),
            _ => String::new(),
        };
    };
    let same = judged.iter().filter(|(_, found)| found == kind).count();
    let of = if runs.len() == 1 { String::new() } else { format!(" {same}/{}", runs.len()) };
    match kind {
        VerdictKind::Pass => format!("pass{of} {}", recovery(&worst.verdict.measures.time_to_recover)),
        VerdictKind::Unknown => format!("unknown{of}"),
        VerdictKind::Fail => {
            let checks: Vec<_> = worst.verdict.failures().map(|(check, _)| check.to_string()).collect();
            format!("FAIL{of} {}", checks.join(", "))
        }
    }
}

/// The names, each once, in the order in which they come.
fn in_order<'a>(results: &'a [Done], name: fn(&'a Done) -> &'a str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for found in results.iter().map(name) {
        if !names.contains(&found) {
            names.push(found);
        }
    }
    names
}

/// Every row: the scenario, and a cell for each client.
fn rows(results: &[Done]) -> (Vec<&str>, Vec<(&str, Vec<String>)>) {
    let mut cells: BTreeMap<(&str, &str), Vec<&Done>> = BTreeMap::new();
    for job in results {
        cells.entry((&job.scenario, &job.client)).or_default().push(job);
    }
    let clients = in_order(results, |job| &job.client);
    let row = |scenario| {
        let of = |client: &&str| cells.get(&(scenario, *client)).map_or_else(String::new, |runs| cell(runs));
        (scenario, clients.iter().map(of).collect())
    };
    let rows = in_order(results, |job| &job.scenario).into_iter().map(row).collect();
    (clients, rows)
}

/// How many runs of each client came to what.
fn totals(results: &[Done], client: &str) -> String {
    let count = |kind| results.iter().filter(|job| job.client == client && job.verdict() == Some(kind)).count();
    let (pass, fail, unknown) = (count(VerdictKind::Pass), count(VerdictKind::Fail), count(VerdictKind::Unknown));
    format!("{pass} pass, {fail} fail, {unknown} unknown")
}

/// The table in Markdown, with what failed and what was skipped below it.
pub fn markdown(results: &[Done]) -> String {
    let (clients, rows) = rows(results);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "| scenario | {} |\n|---|{}", clients.join(" | "), "---|".repeat(clients.len()));
    for (scenario, cells) in rows {
        let _ = writeln!(text, "| {scenario} | {} |", cells.join(" | "));
    }
    let totals: Vec<_> = clients.iter().map(|client| totals(results, client)).collect();
    let _ = writeln!(text, "| **{} runs** | {} |", results.len(), totals.join(" | "));
    for line in notes(results) {
        let _ = writeln!(text, "\n* {line}");
    }
    text
}

/// One line for each run that did not pass, with the first thing that is wrong; one for each reason to skip.
pub fn notes(results: &[Done]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut skipped: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for job in results {
        match &job.ending {
            Ending::Judged(run) if run.verdict.verdict != VerdictKind::Pass => {
                let failed = run.verdict.failures().map(|(check, findings)| {
                    let what = findings.first().map_or("", |finding| finding.what.as_str());
                    format!("{check}: {what}")
                });
                let why: Vec<String> = run.verdict.doubts.iter().cloned().chain(failed).collect();
                lines.push(format!("{}: {}: {}", job.name, run.verdict.verdict, why.join("; ")));
            }
            Ending::Skipped(reason) => skipped.entry((&job.client, reason)).or_default().push(&job.name),
            _ => {}
        }
    }
    lines.extend(skipped.into_iter().map(|((_, reason), names)| format!("{}: skipped: {reason}", names.join(", "))));
    lines
}

/// Writes the table as it is now, whole or not at all.
///
/// *Errors*: the folder cannot be written to.
pub fn store(folder: &Path, results: &[Done]) -> io::Result<()> {
    let unfinished = folder.join(format!(".{FILE}"));
    fs::write(&unfinished, markdown(results))?;
    fs::rename(unfinished, folder.join(FILE))
}

/// The table for a terminal: clients in blocks that a line of `width` characters holds.
pub fn text(results: &[Done], width: usize) -> String {
    let (clients, rows) = rows(results);
    let length = |text: &str| text.chars().count();
    let names = rows.iter().map(|(name, _)| length(name)).max().unwrap_or_default();
    let widths: Vec<usize> = (0..clients.len())
        .map(|index| {
            rows.iter().map(|(_, cells)| length(&cells[index])).max().unwrap_or_default().max(length(clients[index]))
        })
        .collect();
    let mut text = String::new();
    let mut from = 0;
    while from < clients.len() {
        let mut to = from + 1;
        let wide = |to: usize| names + widths[from..to].iter().map(|width| width + 3).sum::<usize>();
        while to < clients.len() && wide(to + 1) <= width {
            to += 1;
        }
        let line = |name: &str, cells: &[&str]| {
            let cells: String =
                cells.iter().zip(&widths[from..to]).map(|(cell, width)| format!("   {cell:width$}")).collect();
            format!("{name:names$}{cells}").trim_end().to_owned() + "\n"
        };
        text += &line("scenario", &clients[from..to]);
        text += &format!("{}\n", "─".repeat(wide(to)));
        for (scenario, cells) in &rows {
            let cells: Vec<&str> = cells[from..to].iter().map(String::as_str).collect();
            text += &line(scenario, &cells);
        }
        text += "\n";
        from = to;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(client: &str, scenario: &str) -> Done {
        let (client, scenario) = (client.to_owned(), scenario.to_owned());
        let name = format!("{client} {scenario}");
        Done { client, scenario, group: String::new(), name, ending: Ending::Skipped("it cannot".into()) }
    }

    fn results() -> Vec<Done> {
        let mut results = vec![skipped("one", "stall"), skipped("one", "blackhole"), skipped("second", "stall")];
        results.push(Done { ending: Ending::Interrupted, ..skipped("second", "blackhole") });
        results
    }

    #[test]
    fn scenarios_go_down_and_clients_across() {
        let expected = "| scenario | one | second |\n|---|---|---|\n| stall | skipped | skipped |\n| blackhole | skipped |  |\n\
                        | **4 runs** | 0 pass, 0 fail, 0 unknown | 0 pass, 0 fail, 0 unknown |\n\
                        \n* one stall, one blackhole: skipped: it cannot\n\n* second stall: skipped: it cannot\n";
        assert_eq!(markdown(&results()), expected);
    }

    #[test]
    fn clients_that_do_not_fit_beside_each_other_follow_below() {
        let both = text(&results(), 80);
        assert!(both.starts_with("scenario    one       second\n"), "{both}");
        assert!(
            both.contains("\nstall       skipped   skipped\n") && both.contains("\nblackhole   skipped\n"),
            "{both}"
        );
        let narrow = text(&results(), 20);
        assert_eq!(narrow.matches("blackhole").count(), 2, "{narrow}");
        assert!(narrow.contains("scenario    second\n"), "{narrow}");
    }
}
