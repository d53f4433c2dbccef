//! What came of all runs: the table, the pages of those that did not pass, what kept others from being carried out.

use std::time::Duration;

use comfy_table::Table;
use pgsquall::Error;
use pgsquall::judge::VerdictKind;
use pgsquall::time::show;

use super::jobs::{Done, Ending};
use super::{matrix, table};
use crate::exit::Exit;
use crate::print::{complain, say};

/// Tells it, and returns the worst of all endings.
pub fn tell(results: &[Done], verbose: bool, took: Duration) -> Exit {
    // A table that says "not carried out" in every row only hides why.
    if results.iter().any(|job| !matches!(job.ending, Ending::Failed(_))) {
        if matrix::is_of(results) {
            say!("{}", matrix::text(results, width()).trim_end());
            matrix::notes(results).iter().for_each(|line| say!("\n{line}"));
            if verbose {
                pages(results, verbose);
            }
        } else {
            say!("{}", table::text(results).trim_end());
            pages(results, verbose);
        }
        say!("\n{}; wall time {}", summary(results), show(took));
    }
    failures(results);
    let asked = results.iter().any(|job| matches!(job.ending, Ending::Judged(_)));
    let worst = results.iter().filter_map(|job| match &job.ending {
        Ending::Judged(run) => Some(run.verdict.verdict.into()),
        Ending::Failed(error) => Some(Exit::from(error)),
        Ending::Skipped(_) | Ending::Interrupted => None,
    });
    let worst = worst.max().unwrap_or(Exit::Pass);
    // To have asked nothing at all is not to have passed.
    if asked { worst } else { worst.max(Exit::Unavailable) }
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

/// How many characters a line of the terminal holds; of a pipe, more than any table needs.
fn width() -> usize {
    Table::new().width().map_or(usize::MAX, usize::from)
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

fn summary(results: &[Done]) -> String {
    let verdicts = |kind| results.iter().filter(|job| job.verdict() == Some(kind)).count();
    let mut text = format!(
        "{} run{}: {} pass, {} fail, {} unknown",
        results.len(),
        if results.len() == 1 { "" } else { "s" },
        verdicts(VerdictKind::Pass),
        verdicts(VerdictKind::Fail),
        verdicts(VerdictKind::Unknown)
    );
    for (what, ended) in [
        ("skipped", (|ending| matches!(ending, Ending::Skipped(_))) as fn(&Ending) -> bool),
        ("not carried out", |ending| matches!(ending, Ending::Failed(_))),
        ("stopped", |ending| matches!(ending, Ending::Interrupted)),
    ] {
        match results.iter().filter(|job| ended(&job.ending)).count() {
            0 => {}
            count => text += &format!(", {count} {what}"),
        }
    }
    text
}

/// Whether an error means that the scenario is to be skipped.
pub fn skipped(error: &Error) -> Option<String> {
    match error {
        Error::NotExpressible { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}
