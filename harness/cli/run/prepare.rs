//! What is to be done: the arguments understood, the clients ready, a job for each run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pgsquall::client::{Application, ClientChoice, ClientError};
use pgsquall::environment::choice::ServerKind;
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

/// Runs for each core when nobody says otherwise. Most of a run is waiting: an outage, a stability window.
const JOBS_PER_CORE: usize = 6;

/// A wait that is told.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// What is to be done.
pub struct Plan {
    pub jobs: Vec<Job>,
    pub at_once: usize,
    pub out: Out,
    pub seed: Seed,
    /// In the order of asking.
    pub scenarios: Vec<ScenarioInfo>,
}

/// Understands the arguments, removes leftovers, says what is going to happen.
pub async fn prepare(arguments: &RunArguments) -> Result<Plan, Exit> {
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
    let application = application(arguments).map_err(|error| usage(&error))?;
    let one_at_once = application.as_ref().is_some_and(|application| !application.takes_port());
    let clients = match application {
        Some(application) => vec![(ClientChoice::from_application(application), String::new())],
        None => clients(&arguments.client).map_err(|error| usage(&error))?,
    };
    let (source, why) = arguments.server.resolve().map_err(|error| {
        complain!("error: {error}");
        Exit::from(&error)
    })?;
    ready(&clients).await?;
    let earlier = arguments.out.as_deref().filter(|_| arguments.resume).and_then(resume::seed);
    let seed = arguments.seed.or(earlier).unwrap_or_else(Seed::random);
    let out = Out::make(arguments.out.clone().unwrap_or_else(|| default_out(seed))).map_err(|error| usage(&error))?;
    for removed in leftovers::remove().await {
        complain!("removed {removed}");
    }

    let (mut jobs, mut places) = (Vec::new(), 0..);
    for (client, inside) in &clients {
        for scenario in &scenarios {
            for repeat in 0..arguments.repeat {
                let index = places.next().unwrap_or_default();
                if arguments.shard.is_some_and(|shard| !shard.has(index)) {
                    continue;
                }
                let mut scenario = scenario.clone();
                if let Some(budget) = arguments.budget {
                    scenario.budget.time_to_recover = budget;
                }
                let (mut folder, mut name) = (out.path().join(inside).join(&scenario.name), scenario.name.clone());
                if arguments.repeat > 1 {
                    folder.push(repeat.to_string());
                    name += &format!(" {}/{}", repeat + 1, arguments.repeat);
                }
                if clients.len() > 1 {
                    name = format!("{} {name}", client.name());
                }
                let (client, server) = (client.clone(), arguments.server.clone());
                let (repeats, network, supervise) = (arguments.repeat, arguments.network, arguments.supervise);
                let mut job = Job {
                    index,
                    scenario,
                    client,
                    server,
                    network,
                    supervise,
                    seed,
                    repeat,
                    repeats,
                    folder,
                    name,
                    kept: None,
                };
                job.kept = if arguments.resume { resume::kept(&job) } else { None };
                jobs.push(job);
            }
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = match source.kind() {
        // One ledger and one role for all: they would count each other's sessions.
        ServerKind::External => 1,
        _ => {
            // An application may have a port of its own, or a file.
            let usual = if one_at_once { 1 } else { cores * JOBS_PER_CORE };
            arguments.jobs.map_or(usual, usize::from).min(jobs.len().max(1))
        }
    };
    let because = why.map_or_else(String::new, |why| format!(" ({why})"));
    if jobs.is_empty() {
        out.tidy(std::iter::empty());
        let shard = arguments.shard.map_or_else(String::new, |shard| format!(" of shard {shard}"));
        return Err(usage(&format!("nothing is to be done{shard}: there are fewer runs than shards")));
    }
    complain!("pgsquall {}, seed {seed}", env!("CARGO_PKG_VERSION"));
    let names: Vec<_> = clients.iter().map(|(client, _)| client.name()).collect();
    let supervised = if arguments.supervise { ", launched again whenever its process exits" } else { "" };
    complain!("client  {}{supervised}", names.join(", "));
    complain!("server  {source}{because}");
    if let Some(device) = &arguments.device {
        let (real, here) = (exact(device.after), exact(device.scaled(arguments.scale)));
        complain!("device  {}: ends what is idle for {real}, here for {here}", device.name);
    }
    let kept = jobs.iter().filter(|job| job.kept.is_some()).count();
    let kept = if kept > 0 { format!(", {kept} of them kept from earlier") } else { String::new() };
    let shard = arguments.shard.map_or_else(String::new, |shard| format!(", shard {shard}"));
    complain!("runs    {}{shard}, {at_once} at once{kept}", jobs.len());
    Ok(Plan { jobs, at_once, out, seed, scenarios: scenarios.iter().map(ScenarioInfo::from).collect() })
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

/// The application under test, where the client is one.
///
/// *Errors*: one of its commands cannot be run.
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

/// The clients under test, each with the folder that its results go to: none where there is one client.
///
/// *Errors*: one of them is no client; two have one name.
fn clients(texts: &[String]) -> Result<Vec<(ClientChoice, String)>, String> {
    let mut clients: Vec<(ClientChoice, String)> = Vec::new();
    for text in texts {
        let client = client(text).map_err(|error| error.to_string())?;
        if clients.iter().any(|(known, _)| known.name() == client.name()) {
            return Err(format!("the client {} is named twice", client.name()));
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

/// Makes all clients ready; what has to be built is built now, and not in the time of a run.
async fn ready(clients: &[(ClientChoice, String)]) -> Result<(), Exit> {
    let mut ready = Ok(());
    for (client, _) in clients {
        if let Err(error) = make_ready(client).await {
            complain!("error: {error}");
            ready = Err(Exit::Unavailable);
        }
    }
    ready
}

/// Makes one client ready, and says so where that takes its time.
pub async fn make_ready(client: &ClientChoice) -> Result<(), ClientError> {
    let preparing = client.prepare();
    tokio::pin!(preparing);
    tokio::select! {
        prepared = &mut preparing => prepared,
        () = tokio::time::sleep(WORTH_A_WORD) => {
            complain!("building {}, once; it may take minutes", client.name());
            preparing.await
        }
    }
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
