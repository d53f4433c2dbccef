//! What came of all runs: the table, the pages of those that did not pass, what kept others from being carried out.

use std::time::Duration;

use pgsquall::Error;
use pgsquall::judge::VerdictKind;
use pgsquall::model::time::show;
use pgsquall::report::{Report, baseline, bench, matrix, table};

use super::jobs::{Done, Ending};
use crate::exit::Exit;
use crate::print::{complain, say};

/// Tells it, and returns the worst of all endings.
pub fn tell(results: &[Done], report: &Report, table: fn(&Report), verbose: bool, took: Duration) -> Exit {
    // A table that says "not carried out" in every row only hides why.
    if results.iter().any(|job| !matches!(job.ending, Ending::Failed(_))) {
        table(report);
        if report.clients().len() == 1 || verbose {
            pages(results, verbose);
        }
        comparison(report);
        say!("\n{}; wall time {}", report.counts(), show(took));
    }
    failures(results);
    let asked = results.iter().any(|job| matches!(job.ending, Ending::Judged(_)));
    let worst = results.iter().filter_map(|job| match &job.ending {
        Ending::Judged(run) => Some(of_verdict(run.verdict.verdict, report)),
        Ending::Failed(error) => Some(Exit::from(error)),
        Ending::Skipped(_) | Ending::Interrupted => None,
    });
    let worst = worst.max().unwrap_or(Exit::Pass).max(of_comparison(report));
    // To have asked nothing at all is not to have passed.
    if asked { worst } else { worst.max(Exit::Unavailable) }
}

/// The table of a report, and of several clients what is to be said beside it.
pub fn table(report: &Report) {
    if report.clients().len() == 1 {
        say!("{}", table::text(report).trim_end());
    } else {
        say!("{}", matrix::text(report, table::width()).trim_end());
        matrix::notes(report).iter().for_each(|line| say!("\n{line}"));
    }
}

/// The table of a benchmark: how long recovery takes, and how sure that is.
pub fn benchmark(report: &Report) {
    say!("{}", bench::text(report, table::width()).trim_end());
    matrix::notes(report).iter().for_each(|line| say!("\n{line}"));
}

/// What has changed since the baseline, where there is one.
pub fn comparison(report: &Report) {
    if let Some(comparison) = &report.comparison {
        say!("\n{}", baseline::text(comparison).trim_end());
    }
}

/// What a verdict means for the exit code: beside a baseline a failure counts where it is worse than before, of which the
/// comparison speaks.
pub fn of_verdict(verdict: VerdictKind, report: &Report) -> Exit {
    match verdict {
        VerdictKind::Fail if report.comparison.is_some() => Exit::Pass,
        verdict => verdict.into(),
    }
}

/// What the comparison means for the exit code.
pub fn of_comparison(report: &Report) -> Exit {
    let is_worse = report.comparison.as_ref().is_some_and(|comparison| comparison.is_worse());
    if is_worse { Exit::Fail } else { Exit::Pass }
}

fn pages(results: &[Done], verbose: bool) {
    for job in results {
        match &job.ending {
            Ending::Judged(run) if verbose || run.verdict.verdict != VerdictKind::Pass => {
                say!("\n{}", run.to_string().trim_end())
            }
            Ending::Skipped(reason) => say!("\n{}: skipped: {reason}", job.name),
            _ => {}
        }
    }
}

/// One error for each cause, however many runs it kept from being carried out.
fn failures(results: &[Done]) {
    let mut causes: Vec<(String, Vec<&str>)> = Vec::new();
    for job in results {
        let Ending::Failed(error) = &job.ending else { continue };
        let text = error.to_string();
        match causes.iter_mut().find(|(known, _)| *known == text) {
            Some((_, names)) => names.push(&job.name),
            None => causes.push((text, vec![&job.name])),
        }
    }
    for (cause, names) in causes {
        complain!("error: {cause}\n  so this was not carried out: {}", names.join(", "));
    }
}

/// Whether an error means that the scenario is to be skipped.
pub fn skipped(error: &Error) -> Option<String> {
    match error {
        Error::NotExpressible { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}
