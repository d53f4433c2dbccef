//! Calibration: runs that were carried out for real, each beside the simulation of the same question.

mod pair;
mod table;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

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

/// What a run leaves of itself.
const HISTORY: &str = "history.jsonl";

/// The file in the folder of `--out`.
const TABLE: &str = "calibration.md";

/// The folder beside it, for what was simulated: `--out` may name the folder of the real runs.
const SIMULATED: &str = "simulated";

/// What came of one stored run.
enum Beside {
    Compared(Box<Pair>),
    /// Why it has no counterpart.
    Skipped(String),
    Failed(Exit, String),
}

/// Puts every run that the folder holds beside a simulated one, and tells it in the order of their paths.
pub fn compare(folder: &Path, out: Option<&Path>, threads: usize) -> Exit {
    let found = match histories(folder) {
        Ok(found) if !found.is_empty() => found,
        other => {
            let reason = other.err().map_or_else(|| format!("no {HISTORY} is in it"), |error| error.to_string());
            let hint = "give a folder that `pgsquall run --out FOLDER` has filled";
            complain!("error: {}: {reason}\nhint: {hint}", folder.display());
            return Exit::Usage;
        }
    };
    let kept = |path: &Path| {
        let run = path.parent()?.strip_prefix(folder).ok()?;
        Some(out?.join(SIMULATED).join(run))
    };
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(path) = found.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let beside = beside(path, kept(path).as_deref());
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(path, beside);
                }
            });
        }
    });
    let (mut pairs, mut skipped, mut exit) = (Vec::new(), BTreeMap::<_, usize>::new(), Exit::Pass);
    for (path, beside) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        match beside {
            Beside::Compared(pair) => pairs.push(*pair),
            Beside::Skipped(reason) => *skipped.entry(reason).or_default() += 1,
            Beside::Failed(why, reason) => {
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
        // To have compared nothing is not to agree.
        false if !pairs.iter().any(Pair::agrees) => Exit::Unknown,
        false => Exit::Pass,
    })
}

/// The stored histories below a folder, by their paths.
fn histories(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            // Links are not followed: they can lead back.
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

fn beside(path: &Path, out: Option<&Path>) -> Beside {
    let read = File::open(path).map_err(|error| error.to_string());
    let real = match read.and_then(|file| History::read(BufReader::new(file)).map_err(|error| error.to_string())) {
        Ok(real) => real,
        Err(reason) => return Beside::Failed(Exit::Usage, reason),
    };
    let scenario = match question(&real) {
        Ok(scenario) => scenario,
        Err(reason) => return Beside::Skipped(reason),
    };
    let simulated = match simulate(&real.header, scenario, out) {
        Ok(simulated) => simulated,
        Err(error) => return Beside::Failed(Exit::from(&error), error.to_string()),
    };
    // What was asked for moves with the scenario's text, and with the version that read it.
    if simulated.header.faults != real.header.faults || simulated.header.load != real.header.load {
        return Beside::Skipped("the scenario is another one by now".into());
    }
    let (real_verdict, simulated) = (judge(&real), judge(&simulated));
    match out.map_or(Ok(()), |out| fs::write(out.join("verdict.json"), simulated.to_json())) {
        Ok(()) => Beside::Compared(Box::new(Pair { real: real_verdict, simulated })),
        Err(error) => Beside::Failed(Exit::Unavailable, format!("its counterpart cannot be stored: {error}")),
    }
}

/// What a simulation is to be asked.
///
/// *Errors*: why it cannot be asked the same.
fn question(real: &History) -> Result<Scenario, String> {
    let header = &real.header;
    let server = real.events.iter().find_map(|event| match event {
        Event::Server(facts) => Some(facts.kind.as_str()),
        _ => None,
    });
    if header.plane == Plane::Simulation {
        return Err("simulated itself".into());
    }
    if header.application.is_some() || !built_in().any(|(name, _)| name == header.client) {
        return Err("the client is not built in".into());
    }
    if header.supervised {
        return Err("a supervised client is a process".into());
    }
    if !matches!(server, Some("local" | "docker")) {
        return Err(format!("the server is {}", server.unwrap_or("unknown")));
    }
    let name = &header.scenario;
    let mut scenario = find(name).map_err(|error| format!("the scenario {name} is gone: {error}"))?;
    if let Some(asked) = &header.device {
        let device = IdleDevice::ALL.into_iter().find(|(word, _)| *word == asked.device);
        let before = device.and_then(|(_, device)| scenario.before(&device, asked.scale));
        scenario = before.ok_or_else(|| format!("{name} has no device {}", asked.device))?;
    }
    check_simulable(&scenario)?;
    Ok(scenario)
}

fn simulate(header: &Header, scenario: Scenario, out: Option<&Path>) -> Result<History, pgsquall::Error> {
    let simulation = Simulation::new(scenario).client_named(&header.client)?;
    let simulation =
        simulation.seed(header.seed).repeat(header.repeat, header.repeats).budget(header.budget.time_to_recover);
    match out {
        Some(out) => simulation.out(out).record(),
        None => simulation.record(),
    }
}
