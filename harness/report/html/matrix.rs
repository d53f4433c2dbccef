//! The matrix: scenarios down, by their causes; clients across; in each cell the verdict and how long recovery took.

use super::super::model::{Asked, Report};
use super::super::text::{optional, recovery};
use super::{Placed, cause, distribution};
use crate::judge::Verdict;

/// The table.
pub(super) struct Matrix {
    pub clients: Vec<String>,
    pub groups: Vec<Rows>,
    /// Whether some scenario was asked more than once.
    pub is_repeated: bool,
}

/// The rows of one cause.
pub(super) struct Rows {
    pub title: String,
    pub rows: Vec<Row>,
}

/// One scenario with all clients.
pub(super) struct Row {
    /// Where its scenario is told; empty where no run has a verdict.
    pub anchor: String,
    pub name: String,
    pub cells: Vec<Told>,
    /// Further figures, where there is one client only and so room for them.
    pub figures: Option<[String; 3]>,
}

/// What a cell tells.
pub(super) struct Told {
    /// The place of its section; empty where it has none.
    pub anchor: String,
    pub class: &'static str,
    pub word: String,
    pub figures: String,
}

impl Matrix {
    pub fn of(report: &Report, scenarios: &[(&Asked, String)], cells: &[Placed]) -> Matrix {
        let clients = report.clients();
        let mut groups: Vec<(&str, Rows)> = Vec::new();
        for (asked, anchor) in scenarios {
            let find = |client: &&str| {
                cells.iter().find(|placed| placed.cell.scenario == asked.name && placed.cell.client == *client)
            };
            let found: Vec<_> = clients.iter().map(find).collect();
            let figures = match found.as_slice() {
                [Some(one)] => one.cell.worst().map(figures),
                _ => None,
            };
            let cells: Vec<_> = found.into_iter().map(told).collect();
            let is_told = cells.iter().any(|cell| !cell.anchor.is_empty());
            let anchor = if is_told { anchor.clone() } else { String::new() };
            let row = Row { anchor, name: asked.name.clone(), cells, figures };
            match groups.iter_mut().find(|(group, _)| *group == asked.group) {
                Some((_, rows)) => rows.rows.push(row),
                None => groups.push((&asked.group, Rows { title: cause(&asked.group), rows: vec![row] })),
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

fn told(placed: Option<&Placed>) -> Told {
    let without =
        |word: &str| Told { anchor: String::new(), class: "none", word: word.to_owned(), figures: String::new() };
    let Some(Placed { cell, anchor }) = placed else { return without("not asked") };
    let Some(worst) = cell.worst() else { return without(cell.state()) };
    let times: Vec<_> = cell.recoveries().collect();
    let figures = match times.as_slice() {
        [] => String::new(),
        [one] => recovery(one),
        several => distribution::in_short(several).unwrap_or_default(),
    };
    // Which rule is broken says more than any time.
    let broken = worst.failures().map(|(check, _)| check.to_string());
    let figures: Vec<_> = Some(figures).filter(|figures| !figures.is_empty()).into_iter().chain(broken).collect();
    Told { anchor: anchor.clone(), class: class(worst), word: cell.verdict_in_words(), figures: figures.join(", ") }
}

/// The class of what has this verdict.
pub(super) fn class(verdict: &Verdict) -> &'static str {
    match verdict.verdict {
        crate::judge::VerdictKind::Pass => "pass",
        crate::judge::VerdictKind::Unknown => "unknown",
        crate::judge::VerdictKind::Fail => "fail",
    }
}

fn figures(verdict: &Verdict) -> [String; 3] {
    let measures = &verdict.measures;
    let masked = if verdict.application.is_some() { "nothing seen" } else { "masked" };
    let lost = measures.fail + measures.info;
    [
        optional(measures.time_to_detect, masked),
        optional(measures.time_to_first_success, "never"),
        if lost == 0 { "0".to_owned() } else { format!("{lost}: {}", super::super::text::errors(verdict)) },
    ]
}
