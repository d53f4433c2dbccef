//! `--calibrate`: compares each real run with the simulation of the same scenario, client and seed.

mod pair;
mod table;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use pgsquall::client::reference::built_in;
use pgsquall::judge::judge;
use pgsquall::model::fault::IdleDevice;
use pgsquall::model::history::{Event, Header, History};
use pgsquall::model::plane::Plane;
use pgsquall::scenario::Scenario;
use pgsquall::simulation::{Simulation, check_simulable};

use self::pair::Pair;
use crate::exit::Exit;
use crate::print::{complain, say};
use crate::run::find;

/// The file name of a stored history.
const HISTORY: &str = "history.jsonl";

/// The file of the comparison, in the folder of `--out`.
const TABLE: &str = "calibration.md";

/// The folder for simulated runs in that of `--out`. A folder of its own, because `--out` may name the folder of the
/// real runs.
const SIMULATED: &str = "simulated";

/// The comparison of one stored run.
enum Counterpart {
    Compared(Box<Pair>),
    /// Why the run is not compared.
    Skipped(String),
    /// The exit code and the error.
    Failed(Exit, String),
}

/// Simulates the counterpart of every run below the folder, and prints the comparison, sorted by path. With `out`, also
/// stores it and the simulated runs.
pub fn compare(folder: &Path, out: Option<&Path>, threads: usize) -> Exit {
    let found = match histories(folder) {
        Ok(found) if !found.is_empty() => found,
        other => {
            let reason = other.err().map_or_else(|| format!("it contains no {HISTORY}"), |error| error.to_string());
            let hint = "name a folder of `pgsquall run --out FOLDER`";
            complain!("error: {}: {reason}\nhint: {hint}", folder.display());
            return Exit::Usage;
        }
    };
    let simulated_folder = |path: &Path| {
        let run = path.parent()?.strip_prefix(folder).ok()?;
        Some(out?.join(SIMULATED).join(run))
    };
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(path) = found.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let counterpart = counterpart(path, simulated_folder(path).as_deref());
                    done.lock().insert(path, counterpart);
                }
            });
        }
    });
    let (mut pairs, mut skipped, mut exit) = (Vec::new(), BTreeMap::<_, usize>::new(), Exit::Pass);
    for (path, beside) in done.into_inner() {
        match beside {
            Counterpart::Compared(pair) => pairs.push(*pair),
            Counterpart::Skipped(reason) => *skipped.entry(reason).or_default() += 1,
            Counterpart::Failed(why, reason) => {
                complain!("error: {}: {reason}", path.display());
                exit = exit.max(why);
            }
        }
    }
    let notes = table::notes(&pairs, &skipped);
    if !pairs.is_empty() {
        say!("{}\n", table::text(&pairs));
    }
    notes.iter().for_each(|line| say!("{line}"));
    let stored = out.map_or(Ok(()), |out| {
        fs::create_dir_all(out)?;
        fs::write(out.join(TABLE), table::markdown(&pairs, &notes))
    });
    if let Err(error) = stored {
        complain!("error: cannot write {TABLE}: {error}; name another folder with --out FOLDER");
        exit = exit.max(Exit::Unavailable);
    }
    exit.max(match pairs.iter().any(Pair::contradicts) {
        true => Exit::Fail,
        // If no pair has two known verdicts, nothing was compared.
        false if !pairs.iter().any(Pair::agrees) => Exit::Unknown,
        false => Exit::Pass,
    })
}

/// Finds the stored histories below a folder; sorts them by path.
///
/// *Errors*: a folder cannot be read.
fn histories(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            // `is_dir` is false for links, which can form a cycle.
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false if entry.file_name() == HISTORY => found.push(entry.path()),
                false => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

fn counterpart(path: &Path, out: Option<&Path>) -> Counterpart {
    let read = File::open(path).map_err(|error| error.to_string());
    let real = match read.and_then(|file| History::read(BufReader::new(file)).map_err(|error| error.to_string())) {
        Ok(real) => real,
        Err(reason) => return Counterpart::Failed(Exit::Usage, reason),
    };
    let scenario = match scenario_of(&real) {
        Ok(scenario) => scenario,
        Err(reason) => return Counterpart::Skipped(reason),
    };
    let simulated = match simulate(&real.header, scenario, out) {
        Ok(simulated) => simulated,
        Err(error) => return Counterpart::Failed(Exit::from(&error), error.to_string()),
    };
    // Faults and load follow from the scenario's text and the version of pgsquall; either may have changed.
    if simulated.header.faults != real.header.faults || simulated.header.load != real.header.load {
        return Counterpart::Skipped("the scenario has changed since the run".into());
    }
    let (real_verdict, simulated) = (judge(&real), judge(&simulated));
    match out.map_or(Ok(()), |out| fs::write(out.join("verdict.json"), simulated.to_json())) {
        Ok(()) => Counterpart::Compared(Box::new(Pair { real: real_verdict, simulated })),
        Err(error) => Counterpart::Failed(Exit::Unavailable, format!("cannot store its simulation: {error}")),
    }
}

/// Returns the scenario to simulate.
///
/// *Errors*: the reason why the run cannot be simulated.
fn scenario_of(real: &History) -> Result<Scenario, String> {
    let header = &real.header;
    let server = real.events.iter().find_map(|event| match event {
        Event::Server(facts) => Some(facts.kind.as_str()),
        _ => None,
    });
    if header.setup.plane == Plane::Simulation {
        return Err("the run was a simulation".into());
    }
    if header.setup.application.is_some() || !built_in().any(|(name, _)| name == header.setup.client) {
        return Err("the client is not built in".into());
    }
    if header.setup.supervised {
        return Err("the client was supervised".into());
    }
    if !matches!(server, Some("local" | "docker")) {
        return Err(format!("the server is {}", server.unwrap_or("unknown")));
    }
    let name = &header.setup.scenario;
    let mut scenario = find(name).map_err(|error| format!("cannot find the scenario {name}: {error}"))?;
    if let Some(asked) = &header.setup.device {
        let device = IdleDevice::ALL.into_iter().find(|(word, _)| *word == asked.device);
        let before = device.and_then(|(_, device)| scenario.before(&device, asked.scale));
        scenario = before.ok_or_else(|| format!("{name} has no device {}", asked.device))?;
    }
    check_simulable(&scenario)?;
    Ok(scenario)
}

fn simulate(header: &Header, scenario: Scenario, out: Option<&Path>) -> Result<History, pgsquall::Error> {
    let simulation = Simulation::new(scenario).client_named(&header.setup.client)?;
    let simulation = simulation
        .seed(header.setup.seed)
        .repeat(header.setup.repeat, header.setup.repeats)
        .budget(header.budget.time_to_recover);
    match out {
        Some(out) => simulation.out(out).record(),
        None => simulation.record(),
    }
}
