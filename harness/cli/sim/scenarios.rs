//! Simulates scenarios by name or from files. Prints a line for each run, and the details of runs that do not pass.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use pgsquall::Error;
use pgsquall::judge::VerdictKind;
use pgsquall::model::seed::Seed;
use pgsquall::report::Run;
use pgsquall::report::text::recovery;
use pgsquall::scenario::Scenario;
use pgsquall::simulation::Simulation;

use crate::args::SimArguments;
use crate::exit::Exit;
use crate::print::{complain, say};
use crate::run::find;

/// Simulates each scenario with each client on several threads, and then prints the results in the order of the command
/// line. Returns the worst exit.
pub fn simulate_all(arguments: &SimArguments, threads: usize) -> Exit {
    let mut pairs = Vec::new();
    for name in &arguments.scenarios {
        match find(name) {
            Ok(scenario) => pairs.extend(arguments.clients.iter().map(|client| (scenario.clone(), client))),
            Err(error) => {
                complain!("error: {error}");
                return Exit::Usage;
            }
        }
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((scenario, client)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run = simulate(arguments, scenario, client);
                    let mut done = done.lock();
                    done.push((scenario.name.clone(), (*client).clone(), run));
                }
            });
        }
    });
    let mut done = done.into_inner();
    let place =
        |name: &str, client: &str| pairs.iter().position(|(scenario, of)| scenario.name == name && *of == client);
    done.sort_by_key(|(name, client, _)| place(name, client));
    done.iter().map(|(name, client, run)| print_result(name, client, run)).max().unwrap_or(Exit::Pass)
}

fn simulate(arguments: &SimArguments, scenario: &Scenario, client: &str) -> Result<Run, Error> {
    let simulation = Simulation::new(scenario.clone()).client_named(client)?.seed(Seed(arguments.seed));
    match &arguments.out {
        Some(out) => simulation.out(out.join(format!("{}-{client}", scenario.name))).run(),
        None => simulation.run(),
    }
}

fn print_result(name: &str, client: &str, run: &Result<Run, Error>) -> Exit {
    match run {
        Ok(run) => {
            let verdict = &run.verdict;
            say!(
                "{name:32} {client:20} {:8} {}",
                verdict.verdict.to_string(),
                recovery(&verdict.measures.time_to_recover)
            );
            if verdict.verdict != VerdictKind::Pass {
                say!("{}", run.to_string().trim_end());
            }
            verdict.verdict.into()
        }
        Err(Error::NotExpressible { reason, .. }) => {
            say!("{name:32} {client:20} skipped  {reason}");
            Exit::Pass
        }
        Err(error) => {
            complain!("error: {name}, {client}: {error}");
            Exit::from(error)
        }
    }
}
