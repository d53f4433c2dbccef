//! `pgsquall run`: many experiments at once, watched, then told as one table.

mod jobs;
mod out;
mod progress;
mod table;
mod tell;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use pgsquall::client::{ClientChoice, ClientError};
use pgsquall::environment::choice::ServerKind;
use pgsquall::environment::leftovers;
use pgsquall::scenario::{Scenario, ScenarioError, catalogue};
use pgsquall::seed::Seed;
use pgsquall::time::exact;

use self::jobs::Job;
use self::out::Out;
use self::progress::Progress;
use crate::args::RunArguments;
use crate::exit::Exit;
use crate::print::{complain, say};

/// Runs for each core when nobody says otherwise. Most of a run is waiting: an outage, a stability window.
const JOBS_PER_CORE: usize = 6;

pub async fn run(arguments: RunArguments) -> Exit {
    let began = Instant::now();
    let plan = match prepare(&arguments).await {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let folders: Vec<_> = plan.jobs.iter().map(|job| job.folder.clone()).collect();
    let progress = Progress::new(plan.jobs.len());
    let (results, interrupted) = jobs::run_all(plan.jobs, plan.at_once, &progress).await;
    progress.finish();

    let exit = tell::tell(&results, arguments.verbose, began.elapsed());
    if plan.out.tidy(folders.iter().map(PathBuf::as_path)) {
        let out = plan.out.path().display();
        match results.iter().any(|job| job.verdict().is_some()) {
            true => say!("histories, verdicts and logs are in {out}"),
            false => complain!("what there is of it is in {out}"),
        }
    }
    if interrupted {
        complain!("stopped by a signal: everything was healed and removed");
        return Exit::Interrupted;
    }
    exit
}

struct Plan {
    jobs: Vec<Job>,
    at_once: usize,
    out: Out,
}

/// Understands the arguments, removes leftovers, says what is going to happen.
async fn prepare(arguments: &RunArguments) -> Result<Plan, Exit> {
    let usage = |error: &dyn std::fmt::Display| {
        complain!("error: {error}");
        Exit::Usage
    };
    let scenarios: Vec<Scenario> = if arguments.scenarios.is_empty() {
        catalogue()
    } else {
        arguments.scenarios.iter().map(|name| find(name)).collect::<Result<_, _>>().map_err(|error| usage(&error))?
    };
    let scenarios = before_device(scenarios, arguments).map_err(|error| usage(&error))?;
    let mut names = BTreeSet::new();
    if let Some(twice) = scenarios.iter().find(|scenario| !names.insert(&scenario.name)) {
        return Err(usage(&format!(
            "two scenarios are named {}, and their results would go to one folder: rename one file, or write \
             --repeat N to run one scenario several times",
            twice.name
        )));
    }
    let client = client(&arguments.client).map_err(|error| usage(&error))?;
    let (source, why) = arguments.server.resolve().map_err(|error| {
        complain!("error: {error}");
        Exit::from(&error)
    })?;
    let seed = arguments.seed.unwrap_or_else(Seed::random);
    let out = Out::make(arguments.out.clone().unwrap_or_else(|| default_out(seed))).map_err(|error| usage(&error))?;
    for removed in leftovers::remove().await {
        complain!("removed {removed}");
    }

    let mut jobs = Vec::new();
    for scenario in scenarios {
        for repeat in 0..arguments.repeat {
            let mut scenario = scenario.clone();
            if let Some(budget) = arguments.budget {
                scenario.budget.time_to_recover = budget;
            }
            let folder = match arguments.repeat {
                1 => out.path().join(&scenario.name),
                _ => out.path().join(&scenario.name).join(repeat.to_string()),
            };
            let server = arguments.server.clone();
            let (repeats, network) = (arguments.repeat, arguments.network);
            jobs.push(Job { scenario, client: client.clone(), server, network, seed, repeat, repeats, folder });
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = match source.kind() {
        // One ledger and one role for all: they would count each other's sessions.
        ServerKind::External => 1,
        _ => arguments.jobs.map_or(cores * JOBS_PER_CORE, usize::from).min(jobs.len().max(1)),
    };
    let because = why.map_or_else(String::new, |why| format!(" ({why})"));
    complain!("pgsquall {}, seed {seed}", env!("CARGO_PKG_VERSION"));
    complain!("client  {}", client.name());
    complain!("server  {source}{because}");
    if let Some(device) = &arguments.device {
        let (real, here) = (exact(device.after), exact(device.scaled(arguments.scale)));
        complain!("device  {}: ends what is idle for {real}, here for {here}", device.name);
    }
    complain!("runs    {}, {at_once} at once", jobs.len());
    Ok(Plan { jobs, at_once, out })
}

/// The scenarios with the device that is asked for, if one is.
///
/// *Errors*: one that was named has no device that it could take the place of.
fn before_device(scenarios: Vec<Scenario>, arguments: &RunArguments) -> Result<Vec<Scenario>, String> {
    let Some(device) = &arguments.device else { return Ok(scenarios) };
    let mut found = Vec::new();
    for scenario in scenarios {
        let name = scenario.name.clone();
        match scenario.before(device, arguments.scale) {
            Some(scenario) => found.push(scenario),
            None if arguments.scenarios.is_empty() => {}
            None => {
                let others: Vec<_> = catalogue()
                    .into_iter()
                    .filter(|known| known.faults.iter().any(|fault| fault.kind.idle_time().is_some()))
                    .map(|known| known.name)
                    .collect();
                return Err(format!(
                    "{name} has no device that ends idle connections, whose place {} could take: those that have one \
                     are {}",
                    device.word,
                    others.join(", ")
                ));
            }
        }
    }
    Ok(found)
}

/// The client under test; a built-in one may also be this program, in a process of its own.
pub fn client(text: &str) -> Result<ClientChoice, ClientError> {
    match std::env::current_exe() {
        Ok(program) => ClientChoice::parse_in(text, &program),
        Err(_) => ClientChoice::parse(text),
    }
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
