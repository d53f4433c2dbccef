//! `pgsquall sim`: simulates random schedules of faults, scenarios, or the counterparts of real runs, in virtual time.

mod calibrate;
mod scenarios;
mod search;

use std::num::NonZero;
use std::thread;

use pgsquall::simulation::Simulation;

use self::search::Search;
use crate::args::SimArguments;
use crate::exit::Exit;
use crate::print::complain;

/// Checks the clients' names, then simulates on several threads. Returns the worst exit.
pub fn sim(arguments: &SimArguments) -> Exit {
    let known = Simulation::scenario("stall").map_err(|error| error.to_string());
    for client in &arguments.clients {
        let found = known.clone().and_then(|any| any.client_named(client).map_err(|error| error.to_string()));
        if let Err(error) = found {
            complain!("error: {error}");
            return Exit::Usage;
        }
    }
    let threads = arguments.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    if let Some(folder) = &arguments.calibrate {
        return calibrate::compare(folder, arguments.out.as_deref(), threads);
    }
    if !arguments.scenarios.is_empty() {
        return scenarios::simulate_all(arguments, threads);
    }
    let searched = arguments.clients.iter().map(|client| Search { client, arguments, threads }.carry_out());
    searched.max().unwrap_or(Exit::Pass)
}
