//! The terminal's table for one client: one row for each scenario with all its repeats, under the documented cause of its
//! group.

use comfy_table::{Cell as Field, Color, ContentArrangement, LineStyle, Table, TableStyle};

use super::cell::Cell;
use super::model::Report;
use super::text::{errors, evidence, first_success, noticed, recovered};
use crate::judge::VerdictKind;
use crate::model::time::show;
use crate::scenario::cause_of;

/// Only a line under the header: rows are short, and stay readable in a log.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

const COLUMNS: [&str; 9] =
    ["scenario", "verdict", "plane", "noticed", "first ok", "recovered", "errors", "worst op", "evidence"];

/// Marks the name of a group; no scenario's name ends with it.
const MARK: char = '/';

/// An empty table with these columns.
pub(super) fn plain_table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns);
    table
}

fn table(report: &Report) -> Table {
    let mut table = plain_table(&COLUMNS);
    let group = |name: &str| report.scenario(name).map_or("", |scenario| scenario.group.as_str());
    let cells = report.cells();
    // A single group needs no heading: the user named its scenarios.
    let grouped =
        cells.iter().any(|cell| cells.first().is_some_and(|first| group(first.scenario) != group(cell.scenario)));
    let mut last = "";
    for cell in &cells {
        let group = group(cell.scenario);
        if grouped && group != last {
            last = group;
            table.add_row([format!("{group}{MARK}")]);
        }
        table.add_row(row(cell));
    }
    table
}

/// The table as text. A group's row is replaced by a heading with its cause, which may be wider than a column.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for line in table(report).trim_fmt().lines() {
        let group = line.trim().strip_suffix(MARK);
        match group.map(|group| (group, cause_of(group))) {
            Some((group, Some(cause))) => text += &format!("\n {group}/  {cause}\n"),
            Some(_) => text += "\n your own scenarios\n",
            None => text += &format!("{line}\n"),
        }
    }
    text
}

/// Width of the terminal in characters; for a pipe, no limit.
pub fn width() -> usize {
    Table::new().width().map_or(usize::MAX, usize::from)
}

fn row(cell: &Cell) -> Vec<Field> {
    let Some(worst) = cell.worst() else {
        return vec![Field::new(cell.scenario), Field::new(cell.state()).fg(Color::DarkGrey)];
    };
    let measures = &worst.measures;
    let colour = match worst.verdict {
        VerdictKind::Pass => Color::Green,
        VerdictKind::Unknown => Color::Yellow,
        VerdictKind::Fail => Color::Red,
    };
    vec![
        Field::new(cell.scenario),
        Field::new(cell.verdict_in_words()).fg(colour),
        Field::new(worst.setup.plane),
        Field::new(noticed(worst)),
        Field::new(first_success(worst)),
        Field::new(recovered(cell)),
        Field::new(errors(worst).replace(", ", "\n")),
        Field::new(measures.worst_op.as_ref().map_or_else(String::new, |op| format!("{} {}", show(op.took), op.kind))),
        Field::new(evidence(worst).replace(", ", "\n")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn each_ending_has_its_row() {
        insta::assert_snapshot!(text(&samples::every_ending()));
    }
}
