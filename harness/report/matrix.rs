//! Several clients in one table: a row for each scenario, a column for each client.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::model::{Ending, Report};
use super::text::recovery;
use crate::judge::VerdictKind;

/// The cells of a report in rows.
pub(super) struct Matrix<'a> {
    pub clients: Vec<&'a str>,
    /// Each scenario with the results of the clients, in their order; a result is empty if the client did not run it.
    pub rows: Vec<(&'a str, Vec<String>)>,
}

impl<'a> Matrix<'a> {
    pub fn from_report(report: &'a Report) -> Matrix<'a> {
        let cells: BTreeMap<(&str, &str), Cell> =
            report.cells().into_iter().map(|cell| ((cell.scenario, cell.client), cell)).collect();
        let clients = report.clients();
        let row = |scenario: &'a str| {
            let result = |client: &&str| cells.get(&(scenario, *client)).map_or_else(String::new, summary);
            (scenario, clients.iter().map(result).collect())
        };
        let rows = report.scenarios.iter().map(|scenario| row(&scenario.name)).collect();
        Matrix { clients, rows }
    }
}

/// The result of one client in one scenario, over all repeats: `pass 32.0 ms`, `FAIL recovered`.
fn summary(cell: &Cell) -> String {
    let Some(worst) = cell.worst() else { return cell.state().to_owned() };
    let verdict = cell.verdict_in_words();
    match worst.verdict {
        VerdictKind::Pass => format!("{verdict} {}", recovery(&worst.measures.time_to_recover)),
        VerdictKind::Unknown => verdict,
        VerdictKind::Fail => {
            let checks: Vec<_> = worst.failures().map(|(check, _)| check.to_string()).collect();
            format!("{} {}", verdict.replacen("fail", "FAIL", 1), checks.join(", "))
        }
    }
}

/// Verdicts of a client's runs: `3 pass, 1 fail, 0 unknown`.
pub(super) fn totals(report: &Report, client: &str) -> String {
    let count = |kind| report.runs.iter().filter(|entry| entry.client == client && entry.kind() == Some(kind)).count();
    let (pass, fail, unknown) = (count(VerdictKind::Pass), count(VerdictKind::Fail), count(VerdictKind::Unknown));
    format!("{pass} pass, {fail} fail, {unknown} unknown")
}

/// One line for each verdict other than pass, with its doubts and the first finding of each check; then one line for
/// each client and reason of skipped runs.
pub fn notes(report: &Report) -> Vec<String> {
    let several = report.clients().len() > 1;
    let mut lines = Vec::new();
    let mut skipped: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for entry in &report.runs {
        let name = if several { format!("{} {}", entry.client, entry.name()) } else { entry.name() };
        match &entry.ending {
            Ending::Judged { verdict } if verdict.verdict != VerdictKind::Pass => {
                let failed = verdict.failures().map(|(check, findings)| {
                    let what = findings.first().map_or("", |finding| finding.what.as_str());
                    format!("{check}: {what}")
                });
                let why: Vec<String> = verdict.doubts.iter().cloned().chain(failed).collect();
                lines.push(format!("{name}: {}: {}", verdict.verdict, why.join("; ")));
            }
            Ending::Skipped { reason } => skipped.entry((&entry.client, reason)).or_default().push(name),
            _ => {}
        }
    }
    lines.extend(skipped.into_iter().map(|((_, reason), names)| format!("{}: skipped: {reason}", names.join(", "))));
    lines
}

/// The table for a terminal, in blocks of as many clients as fit into `width` characters.
pub fn text(report: &Report, width: usize) -> String {
    let Matrix { clients, rows } = Matrix::from_report(report);
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
    use crate::report::samples::{report, skipped, stopped};

    #[test]
    fn clients_wrap_to_the_next_block() {
        let results = report(vec![
            skipped("one", "stall"),
            skipped("one", "blackhole"),
            skipped("second", "stall"),
            stopped("second", "blackhole"),
        ]);
        let both = text(&results, 80);
        assert!(both.starts_with("scenario    one       second\n"), "{both}");
        assert!(
            both.contains("\nstall       skipped   skipped\n") && both.contains("\nblackhole   skipped   stopped\n"),
            "{both}"
        );
        let narrow = text(&results, 20);
        assert_eq!(narrow.matches("blackhole").count(), 2, "{narrow}");
        assert!(narrow.contains("scenario    second\n"), "{narrow}");
        let notes = notes(&results);
        assert_eq!(notes, ["one stall, one blackhole: skipped: it cannot", "second stall: skipped: it cannot"]);
    }
}
