//! Prints results: the table, explanations of runs that did not pass, the errors of runs that did not happen.

use std::time::Duration;

use pgsquall::Error;
use pgsquall::judge::VerdictKind;
use pgsquall::model::time::show;
use pgsquall::report::{Report, baseline, bench, matrix, table};

use super::done::{Done, Ending};
use crate::exit::Exit;
use crate::print::{complain, say};

/// Prints all results; returns the worst exit. For several clients, explains runs only if `verbose`.
pub fn print_results(results: &[Done], report: &Report, table: fn(&Report), verbose: bool, took: Duration) -> Exit {
    // If every run has failed, a table of "not carried out" would only hide the reason.
    if results.iter().any(|job| !matches!(job.ending, Ending::Failed(_))) {
        table(report);
        if report.clients().len() == 1 || verbose {
            explain(results, verbose);
        }
        comparison(report);
        say!("\n{}; wall time {}", report.counts(), show(took));
    }
    print_errors(results);
    let any_judged = results.iter().any(|job| matches!(job.ending, Ending::Judged(_)));
    let worst = results.iter().filter_map(|job| match &job.ending {
        Ending::Judged(run) => Some(verdict_exit(run.verdict.verdict, report)),
        Ending::Failed(error) => Some(Exit::from(error)),
        Ending::Skipped(_) | Ending::Interrupted => None,
    });
    let worst = worst.max().unwrap_or(Exit::Pass).max(comparison_exit(report));
    // Without any verdict, for example if every scenario was skipped, the command has not passed.
    if any_judged { worst } else { worst.max(Exit::Unavailable) }
}

/// Prints the table of a report, and its notes if there are several clients.
pub fn table(report: &Report) {
    if report.clients().len() == 1 {
        say!("{}", table::text(report).trim_end());
    } else {
        say!("{}", matrix::text(report, table::width()).trim_end());
        matrix::notes(report).iter().for_each(|line| say!("\n{line}"));
    }
}

/// Prints the table of a benchmark: recovery times with confidence intervals.
pub fn benchmark(report: &Report) {
    say!("{}", bench::text(report, table::width()).trim_end());
    matrix::notes(report).iter().for_each(|line| say!("\n{line}"));
}

/// Prints the changes since the baseline, if there is one.
pub fn comparison(report: &Report) {
    if let Some(comparison) = &report.comparison {
        say!("\n{}", baseline::text(comparison).trim_end());
    }
}

/// Returns the exit of a verdict. With a baseline, a failure does not count here: [`comparison_exit`] counts what is
/// worse than in the baseline.
pub fn verdict_exit(verdict: VerdictKind, report: &Report) -> Exit {
    match verdict {
        VerdictKind::Fail if report.comparison.is_some() => Exit::Pass,
        verdict => verdict.into(),
    }
}

/// Returns the exit of the comparison with the baseline; pass if there is none.
pub fn comparison_exit(report: &Report) -> Exit {
    let is_worse = report.comparison.as_ref().is_some_and(|comparison| comparison.is_worse());
    if is_worse { Exit::Fail } else { Exit::Pass }
}

fn explain(results: &[Done], verbose: bool) {
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

/// Prints each error once, with the names of all runs that it prevented.
fn print_errors(results: &[Done]) {
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
        complain!("error: {cause}\n  runs that did not happen: {}", names.join(", "));
    }
}

/// Returns the reason to skip a scenario, if the error says that the scenario cannot run here.
pub fn skip_reason(error: &Error) -> Option<String> {
    match error {
        Error::NotExpressible { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}
