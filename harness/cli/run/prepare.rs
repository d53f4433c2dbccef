//! Prepares `pgsquall run` and `pgsquall bench`: from arguments to jobs. Errors in arguments are found here, before any
//! run starts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pgsquall::client::{Application, ClientChoice, ClientError};
use pgsquall::environment::choice::{ServerKind, ServerSource};
use pgsquall::environment::leftovers;
use pgsquall::model::seed::Seed;
use pgsquall::model::time::exact;
use pgsquall::report::model::ScenarioInfo;
use pgsquall::scenario::{Scenario, ScenarioError, catalogue};

use super::jobs::Job;
use super::output_dir::Out;
use super::resume;
use crate::args::RunArguments;
use crate::exit::Exit;
use crate::print::complain;

/// Default of `--jobs` per core. Several, because a run mostly waits: for the end of the outage and of the stability
/// window.
const JOBS_PER_CORE: usize = 6;

/// If the build of a client takes longer than this, a message says so.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);

/// The jobs of a command, and the folder of their results.
pub struct Plan {
    pub jobs: Vec<Job>,
    pub at_once: usize,
    pub out: Out,
    pub seed: Seed,
    /// In the order of the command line.
    pub scenarios: Vec<ScenarioInfo>,
}

/// The parsed arguments.
struct Parsed {
    scenarios: Vec<Scenario>,
    /// Each client with the subfolder of its results, which is empty if there is only one client.
    clients: Vec<(ClientChoice, String)>,
    /// Whether `--jobs` is 1 by default, because the application has a fixed port.
    one_at_once: bool,
    server: ServerSource,
    /// Why `--server auto` chose that server; `None` for other choices.
    server_reason: Option<String>,
}

/// Parses the arguments, builds clients, removes leftovers of killed runs, makes a job for each run, prints the head.
///
/// *Errors*: the exit code; the error has been printed.
pub async fn prepare(arguments: &RunArguments) -> Result<Plan, Exit> {
    let parsed = parse(arguments)?;
    build_clients(&parsed.clients).await?;
    let earlier = arguments.out.as_deref().filter(|_| arguments.resume).and_then(resume::stored_seed);
    let seed = arguments.seed.or(earlier).unwrap_or_else(Seed::random);
    let out = Out::make(arguments.out.clone().unwrap_or_else(|| default_out(seed))).map_err(usage)?;
    for removed in leftovers::remove().await {
        complain!("removed {removed}");
    }
    let jobs = build_jobs(arguments, &parsed, out.path(), seed);
    if jobs.is_empty() {
        out.tidy(std::iter::empty());
        let shard = arguments.shard.map_or_else(String::new, |shard| format!(" in shard {shard}"));
        return Err(usage(format!("no run to carry out{shard}: there are more shards than runs; use fewer shards")));
    }
    let at_once = at_once(arguments, &parsed, jobs.len());
    print_head(arguments, &parsed, &jobs, at_once, seed);
    Ok(Plan { jobs, at_once, out, seed, scenarios: parsed.scenarios.iter().map(ScenarioInfo::from).collect() })
}

/// Prints an error in the arguments; returns its exit code.
fn usage(error: impl std::fmt::Display) -> Exit {
    complain!("error: {error}");
    Exit::Usage
}

fn parse(arguments: &RunArguments) -> Result<Parsed, Exit> {
    let scenarios: Vec<Scenario> = if arguments.scenarios.is_empty() {
        catalogue()
    } else {
        arguments.scenarios.iter().map(|name| find(name)).collect::<Result<_, _>>().map_err(usage)?
    };
    let scenarios = with_device(scenarios, arguments).map_err(usage)?;
    let mut names = BTreeSet::new();
    if let Some(twice) = scenarios.iter().find(|scenario| !names.insert(&scenario.name)) {
        return Err(usage(format!(
            "cannot store two scenarios named {} in one folder; rename one file, or write --repeat N to run one \
             scenario several times",
            twice.name
        )));
    }
    let application = application(arguments).map_err(usage)?;
    let one_at_once = application.as_ref().is_some_and(|application| !application.takes_port());
    let clients = match application {
        Some(application) => vec![(ClientChoice::from_application(application), String::new())],
        None => clients(&arguments.client).map_err(usage)?,
    };
    let (server, server_reason) = arguments.server.resolve().map_err(|error| {
        complain!("error: {error}");
        Exit::from(&error)
    })?;
    Ok(Parsed { scenarios, clients, one_at_once, server, server_reason })
}

/// Makes a job for each run of this shard. With `--resume`, a job keeps the stored verdict of its run if there is one.
fn build_jobs(arguments: &RunArguments, parsed: &Parsed, out: &Path, seed: Seed) -> Vec<Job> {
    let (mut jobs, mut indices) = (Vec::new(), 0..);
    for (client, subfolder) in &parsed.clients {
        for scenario in &parsed.scenarios {
            for repeat in 0..arguments.repeat {
                let index = indices.next().unwrap_or_default();
                if arguments.shard.is_some_and(|shard| !shard.has(index)) {
                    continue;
                }
                let mut scenario = scenario.clone();
                if let Some(budget) = arguments.budget {
                    scenario.budget.time_to_recover = budget;
                }
                let (mut folder, mut name) = (out.join(subfolder).join(&scenario.name), scenario.name.clone());
                if arguments.repeat > 1 {
                    folder.push(repeat.to_string());
                    name += &format!(" {}/{}", repeat + 1, arguments.repeat);
                }
                if parsed.clients.len() > 1 {
                    name = format!("{} {name}", client.name());
                }
                let mut job = Job {
                    index,
                    scenario,
                    client: client.clone(),
                    server: arguments.server.clone(),
                    network: arguments.network,
                    supervise: arguments.supervise,
                    seed,
                    repeat,
                    repeats: arguments.repeat,
                    folder,
                    name,
                    kept: None,
                };
                job.kept = if arguments.resume { resume::stored_run(&job, parsed.server.kind()) } else { None };
                jobs.push(job);
            }
        }
    }
    jobs
}

/// Returns the number of runs at the same time.
fn at_once(arguments: &RunArguments, parsed: &Parsed, jobs: usize) -> usize {
    match parsed.server.kind() {
        // All runs would share one ledger and one role: a run would count the sessions of other runs.
        ServerKind::External => 1,
        _ => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            // Two instances of an application with a fixed port cannot run at the same time.
            let usual = if parsed.one_at_once { 1 } else { cores * JOBS_PER_CORE };
            arguments.jobs.map_or(usual, usize::from).min(jobs.max(1))
        }
    }
}

/// Prints seed, clients, server, device and number of runs.
fn print_head(arguments: &RunArguments, parsed: &Parsed, jobs: &[Job], at_once: usize, seed: Seed) {
    complain!("pgsquall {}, seed {seed}", env!("CARGO_PKG_VERSION"));
    let names: Vec<_> = parsed.clients.iter().map(|(client, _)| client.name()).collect();
    let supervised = if arguments.supervise { ", relaunched when its process exits" } else { "" };
    complain!("client  {}{supervised}", names.join(", "));
    let reason = parsed.server_reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    complain!("server  {}{reason}", parsed.server);
    if let Some(device) = &arguments.device {
        let (real, here) = (exact(device.after), exact(device.scaled(arguments.scale)));
        complain!("device  {}: idle timeout {real}, here {here}", device.name);
    }
    let kept = jobs.iter().filter(|job| job.kept.is_some()).count();
    let kept = if kept > 0 { format!(", {kept} of them kept from earlier") } else { String::new() };
    let shard = arguments.shard.map_or_else(String::new, |shard| format!(", shard {shard}"));
    complain!("runs    {}{shard}, {at_once} at once{kept}", jobs.len());
}

/// Replaces the device of each scenario by that of `--device`, if given. If no scenarios are named, leaves out those
/// without a device.
///
/// *Errors*: a scenario named on the command line has no device to replace.
fn with_device(scenarios: Vec<Scenario>, arguments: &RunArguments) -> Result<Vec<Scenario>, String> {
    let Some(device) = &arguments.device else { return Ok(scenarios) };
    let mut changed = Vec::new();
    for scenario in scenarios {
        let name = scenario.name.clone();
        match scenario.before(device, arguments.scale) {
            Some(scenario) => changed.push(scenario),
            None if arguments.scenarios.is_empty() => {}
            None => {
                let others: Vec<_> = catalogue()
                    .into_iter()
                    .filter(|known| known.faults.iter().any(|fault| fault.kind.idle_time().is_some()))
                    .map(|known| known.name)
                    .collect();
                return Err(format!(
                    "cannot use the device {} in {name}: it has no device that ends idle connections; scenarios with one \
                     are {}",
                    device.word,
                    others.join(", ")
                ));
            }
        }
    }
    Ok(changed)
}

/// Returns the application under test, if `--app` names one.
///
/// *Errors*: a command cannot be parsed or its program is not found; a capability is unknown.
fn application(arguments: &RunArguments) -> Result<Option<Application>, ClientError> {
    let Some(command) = &arguments.app else { return Ok(None) };
    let mut application = Application::new(command)?;
    if let Some(ready) = &arguments.ready {
        application = application.ready(ready)?;
    }
    if let Some(load) = &arguments.load {
        application = application.load(load)?;
    }
    for word in &arguments.app_capability {
        application = application.with_capability(word)?;
    }
    Ok(Some(application))
}

/// Parses the clients under test, each with the subfolder of its results, which is empty if there is only one client.
///
/// *Errors*: a value of `--client` is not a client; two clients have the same name.
fn clients(texts: &[String]) -> Result<Vec<(ClientChoice, String)>, String> {
    let mut clients: Vec<(ClientChoice, String)> = Vec::new();
    for text in texts {
        let client = client(text).map_err(|error| error.to_string())?;
        if clients.iter().any(|(known, _)| known.name() == client.name()) {
            return Err(format!("cannot use the client {} twice; name it once", client.name()));
        }
        let mut folder = String::new();
        if texts.len() > 1 {
            let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.:".contains(c) { c } else { '_' };
            folder = client.name().trim_start_matches('.').chars().map(plain).collect();
            while clients.iter().any(|(_, known)| *known == folder) {
                folder.push('_');
            }
        }
        clients.push((client, folder));
    }
    Ok(clients)
}

/// Builds all clients before any run, so that a build does not count as time of a run. Prints every error.
async fn build_clients(clients: &[(ClientChoice, String)]) -> Result<(), Exit> {
    let mut ready = Ok(());
    for (client, _) in clients {
        if let Err(error) = make_ready(client).await {
            complain!("error: {error}");
            ready = Err(Exit::Unavailable);
        }
    }
    ready
}

/// Builds one client if necessary; prints a message if this takes more than a second.
///
/// *Errors*: what is missing, and how to install it.
pub async fn make_ready(client: &ClientChoice) -> Result<(), ClientError> {
    let preparing = client.prepare();
    tokio::pin!(preparing);
    tokio::select! {
        prepared = &mut preparing => prepared,
        () = tokio::time::sleep(ANNOUNCE_AFTER) => {
            complain!("building {} for the first time; this may take minutes", client.name());
            preparing.await
        }
    }
}

/// Parses a client. Gives built-in clients the path of this program, so that they can also run as a process.
///
/// *Errors*: the text names no client and is no command line.
pub fn client(text: &str) -> Result<ClientChoice, ClientError> {
    match std::env::current_exe() {
        Ok(program) => ClientChoice::parse_in(text, &program),
        Err(_) => ClientChoice::parse(text),
    }
}

/// Reads a scenario file, if the text ends in `.toml` or is a file's path; otherwise finds a built-in scenario by name.
///
/// *Errors*: the file is bad or missing, or no scenario has that name.
pub fn find(name: &str) -> Result<Scenario, ScenarioError> {
    let path = Path::new(name);
    if name.ends_with(".toml") || path.is_file() { Scenario::read(path) } else { Scenario::built_in(name) }
}

fn default_out(seed: Seed) -> PathBuf {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace([':', '-'], "");
    Path::new("pgsquall-runs").join(format!("{now}-{seed}"))
}
