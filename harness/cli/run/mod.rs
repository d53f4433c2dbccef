//! `pgsquall run` and `pgsquall bench`: run many experiments at the same time, show progress, write one report.

mod done;
mod jobs;
pub mod output;
mod output_dir;
mod prepare;
mod progress;
mod resume;

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use pgsquall::report::model::{self, Report};

use self::done::Done;
pub use self::output_dir::Out;
use self::prepare::prepare;
pub use self::prepare::{client, find, make_ready};
use self::progress::Progress;
use crate::args::RunArguments;
use crate::baseline::Baseline;
use crate::exit::Exit;
use crate::print::{complain, say};
use crate::writers;

/// Runs the scenarios of the arguments; `table` prints the results.
pub async fn run(arguments: RunArguments, table: fn(&Report)) -> Exit {
    let (began, clock) = (SystemTime::now(), Instant::now());
    let baseline = match Baseline::read(&arguments.baseline) {
        Ok(baseline) => baseline,
        Err(error) => {
            complain!("error: {error}");
            return Exit::Usage;
        }
    };
    let plan = match prepare(&arguments).await {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let folders: Vec<_> = plan.jobs.iter().map(|job| job.folder.clone()).collect();
    let progress = Progress::new(plan.jobs.len());
    let (out, seed, scenarios) = (plan.out, plan.seed, plan.scenarios);
    let report = |results: &[Done]| Report {
        format: model::FORMAT,
        pgsquall: env!("CARGO_PKG_VERSION").to_owned(),
        began: humantime::format_rfc3339_seconds(began).to_string(),
        seed,
        scenarios: scenarios.clone(),
        runs: results.iter().map(|done| done.entry(out.path())).collect(),
        shards: arguments.shard.map(Into::into),
        comparison: None,
    };
    // Without a verdict, no report is written and `tidy` removes the folder. A shard is kept: `report merge` needs all.
    let any_verdict = |results: &[Done]| results.iter().any(|job| job.verdict().is_some());
    let is_kept = |results: &[Done]| any_verdict(results) || arguments.shard.is_some();
    let mut stored = writers::InterimReport::default();
    let store = |results: &[Done]| match is_kept(results) {
        true => stored.store(out.path(), || report(results)),
        false => Ok(()),
    };
    let (results, interrupted) = jobs::run_all(plan.jobs, plan.at_once, &progress, store).await;
    progress.finish();

    let mut report = report(&results);
    report.comparison = baseline.map(|baseline| baseline.compare(&report));
    let mut exit = output::print_results(&results, &report, table, arguments.verbose, clock.elapsed());
    exit = exit.max(writers::write(&report, out.path(), is_kept(&results), &arguments.report.files));
    if out.tidy(folders.iter().map(PathBuf::as_path)) {
        let place = out.path().display();
        match any_verdict(&results) {
            true => say!("histories, verdicts and logs are in {place}; open {place}/report.html in a browser"),
            false => complain!("partial results are in {place}"),
        }
    }
    if interrupted {
        complain!("stopped by a signal: all faults were healed, all servers and clients removed");
        if any_verdict(&results) {
            complain!("to continue, run the same command with --out {} --resume", out.path().display());
        }
        return Exit::Interrupted;
    }
    exit
}
