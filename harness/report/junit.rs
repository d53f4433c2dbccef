//! JUnit XML, which CI systems show as tests: a suite for each client, a test case for each scenario.
//!
//! A verdict of *fail* is a failure. *Unknown* and runs that were stopped or not carried out are errors, because they
//! say nothing about the client and must not count as a pass.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::cell::Cell;
use super::format::Format;
use super::model::{Ending, Report};
use super::text::{broken, errors, explain, first_success, noticed, operations, recovered, repeat_command};
use crate::judge::VerdictKind;

pub(super) const FORMAT: Format =
    Format { name: "junit", file: None, reads_histories: false, write: |report, _| text(report) };

/// The report as JUnit XML.
pub fn text(report: &Report) -> String {
    let mut xml = quick_junit::Report::new("pgsquall");
    for client in report.clients() {
        let mut suite = TestSuite::new(client);
        suite.add_property(Property::new("seed", report.seed.to_string()));
        suite.add_property(("pgsquall", report.pgsquall.as_str()));
        let cells = report.cells().into_iter().filter(|cell| cell.client == client);
        suite.add_test_cases(cells.map(|cell| case(report, &cell)));
        let time = suite.test_cases.iter().filter_map(|case| case.time).sum();
        suite.set_time(time);
        xml.add_test_suite(suite);
    }
    // Writing to memory cannot fail.
    xml.to_string().unwrap_or_default()
}

fn case(report: &Report, cell: &Cell) -> TestCase {
    let mut case = TestCase::new(cell.scenario, status(cell));
    let group = report.scenario(cell.scenario).map_or("file", |scenario| scenario.group.as_str());
    case.set_classname(format!("pgsquall.{group}"));
    let took = cell.runs.iter().filter_map(|entry| entry.took);
    case.set_time(took.sum::<Duration>());
    case.add_properties(figures(cell));
    if let Some(worst) = cell.worst().filter(|worst| worst.verdict == VerdictKind::Pass) {
        case.set_system_out(explain(worst));
    }
    case
}

/// The figures of the run with the worst verdict; `recovered` is about all repeats.
fn figures(cell: &Cell) -> Vec<Property> {
    let Some(worst) = cell.worst() else { return Vec::new() };
    let figures = [
        ("verdict", cell.verdict_in_words()),
        ("plane", worst.setup.plane.to_string()),
        ("noticed", noticed(worst)),
        ("first ok", first_success(worst)),
        ("recovered", recovered(cell)),
        ("operations", operations(worst)),
        ("errors", errors(worst)),
        ("repeat", repeat_command(worst)),
    ];
    figures.into_iter().map(|(name, value)| Property::new(name, value)).collect()
}

/// The worst status among the repeats: fail, then unknown, then not carried out or stopped.
fn status(cell: &Cell) -> TestCaseStatus {
    let not_passed = cell.verdicts().filter(|verdict| verdict.verdict != VerdictKind::Pass);
    let pages = not_passed.map(explain).collect::<Vec<_>>().join("\n");
    let trouble = |kind, word: &str, message: String, page: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(word).set_message(message).set_description(page);
        status
    };
    if let Some(worst) = cell.worst() {
        match worst.verdict {
            VerdictKind::Fail => {
                let found: Vec<_> = broken(worst).collect();
                return trouble(NonSuccessKind::Failure, "fail", found.join("; "), pages);
            }
            VerdictKind::Unknown => {
                return trouble(NonSuccessKind::Error, "unknown", worst.doubts.join("; "), pages);
            }
            VerdictKind::Pass => {}
        }
    }
    // A repeat that was not carried out prevents a pass, even if the others passed.
    let errors = cell.runs.iter().find_map(|entry| match &entry.ending {
        Ending::NotCarriedOut { error } => Some(("not-carried-out", error.clone())),
        Ending::Stopped => Some(("stopped", "the run was stopped before it ended".to_owned())),
        Ending::Judged { .. } | Ending::Skipped { .. } => None,
    });
    if let Some((word, message)) = errors {
        return trouble(NonSuccessKind::Error, word, message, String::new());
    }
    match cell.runs.first().map(|entry| &entry.ending) {
        Some(Ending::Skipped { reason }) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
        _ => TestCaseStatus::success(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn each_ending_has_its_status() {
        insta::assert_snapshot!(text(&samples::every_ending()));
    }
}
