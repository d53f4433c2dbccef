//! `pgsquall run`: many experiments at once, watched, then told as one report.

mod jobs;
pub mod output;
mod output_dir;
mod prepare;
mod progress;
mod resume;

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use pgsquall::report::model::{self, Report};

pub use self::output_dir::Out;
use self::prepare::prepare;
pub use self::prepare::{client, find, make_ready};
use self::progress::Progress;
use crate::args::RunArguments;
use crate::baseline::Baseline;
use crate::exit::Exit;
use crate::print::{complain, say};
use crate::writers;

/// Carries out what is asked; `table` prints what came of it.
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
    let report = |results: &[jobs::Done]| Report {
        format: model::FORMAT,
        pgsquall: env!("CARGO_PKG_VERSION").to_owned(),
        began: humantime::format_rfc3339_seconds(began).to_string(),
        seed,
        scenarios: scenarios.clone(),
        runs: results.iter().map(|done| done.entry(out.path())).collect(),
        shards: arguments.shard.map(Into::into),
        comparison: None,
    };
    // A folder in which nothing came of anything is taken away again; but a shard is a part of something.
    let has_come = |results: &[jobs::Done]| results.iter().any(|job| job.verdict().is_some());
    let is_kept = |results: &[jobs::Done]| has_come(results) || arguments.shard.is_some();
    let mut stored = writers::Meanwhile::default();
    let store = |results: &[jobs::Done]| match is_kept(results) {
        true => stored.store(out.path(), || report(results)),
        false => Ok(()),
    };
    let (results, interrupted) = jobs::run_all(plan.jobs, plan.at_once, &progress, store).await;
    progress.finish();

    let mut report = report(&results);
    report.comparison = baseline.map(|baseline| baseline.compare(&report));
    let mut exit = output::tell(&results, &report, table, arguments.verbose, clock.elapsed());
    let always = if is_kept(&results) { writers::ALWAYS.as_slice() } else { &[] };
    exit = exit.max(writers::write(&report, out.path(), always, &arguments.report));
    if out.tidy(folders.iter().map(PathBuf::as_path)) {
        let place = out.path().display();
        match has_come(&results) {
            true => say!("histories, verdicts and logs are in {place}; to be read in a browser: {place}/report.html"),
            false => complain!("what there is of it is in {place}"),
        }
    }
    if interrupted {
        complain!("stopped by a signal: everything was healed and removed");
        if has_come(&results) {
            complain!("the same command with --out {} --resume goes on", out.path().display());
        }
        return Exit::Interrupted;
    }
    exit
}
