//! The matrix: a row for each scenario, grouped by cause; a column for each client; verdict and recovery time in each cell.

use super::super::model::{Report, ScenarioInfo};
use super::super::text::{optional, recovery};
use super::{Placed, cause, distribution};
use crate::judge::Verdict;

/// The table.
pub(super) struct Matrix {
    pub clients: Vec<String>,
    pub groups: Vec<Rows>,
    /// Whether any scenario was repeated.
    pub is_repeated: bool,
}

/// The rows of one cause.
pub(super) struct Rows {
    pub title: String,
    pub rows: Vec<Row>,
}

/// One scenario with all clients.
pub(super) struct Row {
    /// Anchor of its scenario; empty if no run has a verdict.
    pub anchor: String,
    pub name: String,
    pub cells: Vec<MatrixCell>,
    /// Further figures, if there is only one client and therefore room for them.
    pub figures: Option<[String; 3]>,
}

/// One cell of the matrix.
pub(super) struct MatrixCell {
    /// Anchor of its section; empty if it has none.
    pub anchor: String,
    pub class: &'static str,
    pub word: String,
    pub figures: String,
}

impl Matrix {
    pub fn new(report: &Report, scenarios: &[(&ScenarioInfo, String)], cells: &[Placed]) -> Matrix {
        let clients = report.clients();
        let mut groups: Vec<(&str, Rows)> = Vec::new();
        for (scenario, anchor) in scenarios {
            let find = |client: &&str| {
                cells.iter().find(|placed| placed.cell.scenario == scenario.name && placed.cell.client == *client)
            };
            let found: Vec<_> = clients.iter().map(find).collect();
            let figures = match found.as_slice() {
                [Some(one)] => one.cell.worst().map(figures),
                _ => None,
            };
            let cells: Vec<_> = found.into_iter().map(matrix_cell).collect();
            let has_section = cells.iter().any(|cell| !cell.anchor.is_empty());
            let anchor = if has_section { anchor.clone() } else { String::new() };
            let row = Row { anchor, name: scenario.name.clone(), cells, figures };
            match groups.iter_mut().find(|(group, _)| *group == scenario.group) {
                Some((_, rows)) => rows.rows.push(row),
                None => groups.push((&scenario.group, Rows { title: cause(&scenario.group), rows: vec![row] })),
            }
        }
        let groups = groups.into_iter().map(|(_, rows)| rows).collect();
        let is_repeated = cells.iter().any(|placed| placed.cell.runs.len() > 1);
        Matrix { clients: clients.into_iter().map(str::to_owned).collect(), groups, is_repeated }
    }

    pub fn columns(&self) -> usize {
        if self.is_single() { 5 } else { self.clients.len() + 1 }
    }

    pub fn is_single(&self) -> bool {
        self.clients.len() == 1
    }
}

fn matrix_cell(placed: Option<&Placed>) -> MatrixCell {
    let without =
        |word: &str| MatrixCell { anchor: String::new(), class: "none", word: word.to_owned(), figures: String::new() };
    let Some(Placed { cell, anchor }) = placed else { return without("not run") };
    let Some(worst) = cell.worst() else { return without(cell.state()) };
    let times: Vec<_> = cell.recoveries().collect();
    let figures = match times.as_slice() {
        [] => String::new(),
        [one] => recovery(one),
        several => distribution::in_short(several).unwrap_or_default(),
    };
    // The failed checks follow the time.
    let broken = worst.failures().map(|(check, _)| check.to_string());
    let figures: Vec<_> = Some(figures).filter(|figures| !figures.is_empty()).into_iter().chain(broken).collect();
    MatrixCell {
        anchor: anchor.clone(),
        class: class(worst),
        word: cell.verdict_in_words(),
        figures: figures.join(", "),
    }
}

/// The CSS class of a verdict.
pub(super) fn class(verdict: &Verdict) -> &'static str {
    match verdict.verdict {
        crate::judge::VerdictKind::Pass => "pass",
        crate::judge::VerdictKind::Unknown => "unknown",
        crate::judge::VerdictKind::Fail => "fail",
    }
}

fn figures(verdict: &Verdict) -> [String; 3] {
    let measures = &verdict.measures;
    let masked = if verdict.setup.application.is_some() { "not observed" } else { "masked" };
    let lost = measures.fail + measures.info;
    [
        optional(measures.time_to_detect, masked),
        optional(measures.time_to_first_success, "never"),
        if lost == 0 { "0".to_owned() } else { format!("{lost}: {}", super::super::text::errors(verdict)) },
    ]
}
