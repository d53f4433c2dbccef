//! `pgsquall run`: many experiments at once, watched, then told as one table.

mod jobs;
mod progress;
mod table;

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use pgsquall::client::ClientChoice;
use pgsquall::environment::choice::ServerKind;
use pgsquall::environment::leftovers;
use pgsquall::judge::VerdictKind;
use pgsquall::report::explain;
use pgsquall::scenario::{Scenario, ScenarioError, catalogue};
use pgsquall::seed::Seed;
use pgsquall::time::show;
use pgsquall::{Error, Run};

use self::jobs::{Ending, Job};
use self::progress::Progress;
use crate::args::RunArguments;
use crate::exit::Exit;

/// Runs for each core when nobody says otherwise. Most of a run is waiting: an outage, a stability window.
const JOBS_PER_CORE: usize = 4;

pub async fn run(arguments: RunArguments) -> Exit {
    let began = Instant::now();
    let plan = match prepare(&arguments).await {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let progress = Progress::new(plan.jobs.len());
    let (results, interrupted) = jobs::run_all(plan.jobs, plan.at_once, &progress).await;
    progress.finish();

    let exit = tell(&results, arguments.verbose);
    let counted = |kind| results.iter().filter(|job| job.verdict() == Some(kind)).count();
    let mut summary = format!(
        "{} run{}: {} pass, {} fail, {} unknown",
        results.len(),
        if results.len() == 1 { "" } else { "s" },
        counted(VerdictKind::Pass),
        counted(VerdictKind::Fail),
        counted(VerdictKind::Unknown)
    );
    for (count, what) in [
        (results.iter().filter(|job| matches!(job.ending, Ending::Skipped(_))).count(), "skipped"),
        (results.iter().filter(|job| matches!(job.ending, Ending::Failed(_))).count(), "not carried out"),
    ] {
        if count > 0 {
            summary += &format!(", {count} {what}");
        }
    }
    println!("\n{summary}; wall time {}", show(began.elapsed()));
    println!("histories, verdicts and logs are in {}", plan.out.display());
    if interrupted {
        eprintln!("stopped by a signal: everything was healed and removed");
        return Exit::Interrupted;
    }
    exit
}

struct Plan {
    jobs: Vec<Job>,
    at_once: usize,
    out: PathBuf,
}

/// Understands the arguments, removes leftovers, says what is going to happen.
async fn prepare(arguments: &RunArguments) -> Result<Plan, Exit> {
    let usage = |error: &dyn std::fmt::Display| {
        eprintln!("error: {error}");
        Exit::Usage
    };
    let scenarios: Vec<Scenario> = if arguments.scenarios.is_empty() {
        catalogue()
    } else {
        arguments.scenarios.iter().map(|name| find(name)).collect::<Result<_, _>>().map_err(|error| usage(&error))?
    };
    let client = ClientChoice::parse(&arguments.client).map_err(|error| usage(&error))?;
    let (source, why) = arguments.server.resolve().map_err(|error| {
        eprintln!("error: {error}");
        Exit::from(&error)
    })?;
    for removed in leftovers::remove().await {
        eprintln!("removed {removed}");
    }
    let seed = arguments.seed.unwrap_or_else(Seed::random);
    let out = arguments.out.clone().unwrap_or_else(|| default_out(seed));

    let mut jobs = Vec::new();
    for scenario in scenarios {
        for repeat in 0..arguments.repeat {
            let mut scenario = scenario.clone();
            if let Some(budget) = arguments.budget {
                scenario.budget.time_to_recover = budget;
            }
            let folder = match arguments.repeat {
                1 => out.join(&scenario.name),
                _ => out.join(&scenario.name).join(repeat.to_string()),
            };
            let server = arguments.server.clone();
            let repeats = arguments.repeat;
            jobs.push(Job { scenario, client: client.clone(), server, seed, repeat, repeats, folder });
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = match source.kind() {
        // One ledger and one role for all: they would count each other's sessions.
        ServerKind::External => 1,
        _ => arguments.jobs.map_or(cores * JOBS_PER_CORE, usize::from).min(jobs.len().max(1)),
    };
    let because = why.map_or_else(String::new, |why| format!(" ({why})"));
    eprintln!("pgsquall {}, seed {seed}", env!("CARGO_PKG_VERSION"));
    eprintln!("client  {}", client.name());
    eprintln!("server  {source}{because}");
    eprintln!("runs    {}, {at_once} at once", jobs.len());
    Ok(Plan { jobs, at_once, out })
}

/// A scenario by name, or a file by path.
pub fn find(name: &str) -> Result<Scenario, ScenarioError> {
    let path = Path::new(name);
    if name.ends_with(".toml") || path.is_file() { Scenario::read(path) } else { Scenario::built_in(name) }
}

fn default_out(seed: Seed) -> PathBuf {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace([':', '-'], "");
    Path::new("pgsquall-runs").join(format!("{now}-{seed}"))
}

/// Prints the table and explains what did not pass; returns the worst of all endings.
fn tell(results: &[jobs::Done], verbose: bool) -> Exit {
    println!("{}", table::table(results).trim_fmt());
    let mut exit = Exit::Pass;
    let mut asked = false;
    for job in results {
        match &job.ending {
            Ending::Judged(run) => {
                asked = true;
                exit = exit.max(run.verdict.verdict.into());
                if verbose || run.verdict.verdict != VerdictKind::Pass {
                    println!("\n{}", page(run));
                }
            }
            Ending::Skipped(reason) => println!("\n{}: skipped: {reason}", job.name),
            Ending::Failed(error) => {
                exit = exit.max(Exit::from(error));
                eprintln!("\n{}: not carried out: {error}", job.name);
            }
            Ending::Interrupted => {}
        }
    }
    // To have asked nothing at all is not to have passed.
    if asked { exit } else { exit.max(Exit::Unavailable) }
}

fn page(run: &Run) -> String {
    let mut text = explain(&run.verdict);
    if let Some(out) = &run.out {
        text += &format!("  history   {}\n", out.join("history.jsonl").display());
    }
    text
}

/// Whether an error means that the scenario is to be skipped.
fn skipped(error: &Error) -> Option<String> {
    match error {
        Error::NotExpressible { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}
