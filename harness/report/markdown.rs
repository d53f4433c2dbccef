//! Markdown for the summary of a CI job or a comment on a change: counts, table, and the runs that did not pass.

use std::fmt::Write;

use super::format::Format;
use super::matrix::{Matrix, notes, totals};
use super::model::Report;
use super::text::{errors, explain, first_success, noticed, operations, recovered};
use crate::judge::VerdictKind;

/// Longest page, in bytes: GitHub refuses a summary of more than 1 MiB.
const LONGEST: usize = 900 << 10;

pub(super) const FORMAT: Format =
    Format { name: "markdown", file: Some("report.md"), reads_histories: false, write: |report, _| text(report) };

/// The report in Markdown (GitHub's).
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(to: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(to, "## pgsquall: {}\n", report.counts())?;
    writeln!(to, "pgsquall {}, seed {}, began {}\n", report.pgsquall, report.seed, report.began)?;
    for line in report.warnings() {
        writeln!(to, "> **{}**\n", escaped(&line))?;
    }
    if let Some(comparison) = &report.comparison {
        to.push_str(&super::baseline::markdown(comparison, escaped));
    }
    match report.clients().as_slice() {
        [only] => figures(to, report, only)?,
        _ => matrix(to, report)?,
    }
    for line in notes(report) {
        writeln!(to, "\n* {}", escaped(&line))?;
    }
    pages(to, report)
}

/// The table of one client: a row with figures for each scenario.
fn figures(to: &mut String, report: &Report, client: &str) -> std::fmt::Result {
    writeln!(to, "| scenario | {} | noticed | first ok | recovered | operations | errors |", escaped(client))?;
    writeln!(to, "|---|---|---|---|---|---|---|")?;
    for cell in report.cells().iter().filter(|cell| cell.client == client) {
        let Some(worst) = cell.worst() else {
            writeln!(to, "| {} | {} | | | | | |", escaped(cell.scenario), cell.state())?;
            continue;
        };
        writeln!(
            to,
            "| {} | {} | {} | {} | {} | {} | {} |",
            escaped(cell.scenario),
            strong(cell.verdict_in_words(), worst.verdict),
            noticed(worst),
            first_success(worst),
            recovered(cell),
            operations(worst),
            escaped(&errors(worst))
        )?;
    }
    Ok(())
}

/// The table of several clients: a row for each scenario, a column for each client.
fn matrix(to: &mut String, report: &Report) -> std::fmt::Result {
    let Matrix { clients, rows } = Matrix::from_report(report);
    let row = |cells: &[String]| cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | ");
    let names: Vec<String> = clients.iter().map(|&client| client.to_owned()).collect();
    writeln!(to, "| scenario | {} |\n|---|{}", row(&names), "---|".repeat(clients.len()))?;
    for (scenario, cells) in rows {
        writeln!(to, "| {} | {} |", escaped(scenario), row(&cells))?;
    }
    let totals: Vec<_> = clients.iter().map(|client| totals(report, client)).collect();
    writeln!(to, "| **{} runs** | {} |", report.runs.len(), totals.join(" | "))?;
    for client in clients {
        writeln!(to, "\n<details><summary>Figures of {}</summary>\n", escaped(client))?;
        figures(to, report, client)?;
        writeln!(to, "\n</details>")?;
    }
    Ok(())
}

/// The page of each run that did not pass, folded.
fn pages(to: &mut String, report: &Report) -> std::fmt::Result {
    let mut left_out = 0;
    let not_passed = report.runs.iter().filter_map(|entry| Some((entry, entry.verdict()?)));
    for (entry, verdict) in not_passed.filter(|(_, verdict)| verdict.verdict != VerdictKind::Pass) {
        let page = explain(verdict);
        if to.len() + page.len() > LONGEST {
            left_out += 1;
            continue;
        }
        let (name, client) = (escaped(&entry.name()), escaped(&entry.client));
        writeln!(to, "\n<details><summary>{name} with {client}: {}</summary>\n", verdict.verdict)?;
        let fence = fence(&page);
        writeln!(to, "{fence}text\n{}\n{fence}\n\n</details>", page.trim_end())?;
    }
    if left_out > 0 {
        writeln!(to, "\n{left_out} more runs did not pass; their pages are omitted to keep this one below 1 MiB.")?;
    }
    Ok(())
}

fn strong(words: String, kind: VerdictKind) -> String {
    if kind == VerdictKind::Pass { words } else { format!("**{words}**") }
}

/// A code fence longer than any in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat((longest + 1).max(3))
}

/// Escapes text for a cell of a table or a line.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => safe.push(' '),
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '|' | '[' | ']' | '~' | '$' | '#' | '@' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn one_client_has_a_row_for_each_scenario() {
        insta::assert_snapshot!(text(&samples::every_ending()));
    }

    #[test]
    fn several_clients_have_a_column_each() {
        insta::assert_snapshot!(text(&samples::two_clients()));
    }

    #[test]
    fn foreign_text_is_escaped() {
        assert_eq!(escaped("a|b\n<script> `x` [y](z) @you"), "a\\|b &lt;script> \\`x\\` \\[y\\](z) \\@you");
        assert_eq!(fence("```` and ``"), "`````");
        assert_eq!(fence("nothing"), "```");
    }
}
