//! `pgsquall conformance`: runs the cases of the adapter protocol against each client, one line for each case.

use pgsquall::client::ClientChoice;
use pgsquall::conformance::{ConformanceError, Outcome, check};
use pgsquall::environment::choice::{ServerChoice, ServerKind};
use pgsquall::environment::leftovers;
use tokio::task::JoinSet;

use crate::args::ConformanceArguments;
use crate::exit::Exit;
use crate::print::{complain, say};
use crate::run::{client, make_ready};
use crate::signals::stop_requested;

pub async fn conformance(arguments: ConformanceArguments) -> Exit {
    let clients: Result<Vec<ClientChoice>, _> = arguments.clients.iter().map(|text| client(text)).collect();
    let clients = match clients {
        Ok(clients) => clients,
        Err(error) => {
            complain!("error: {error}");
            return Exit::from(&error);
        }
    };
    let source = match arguments.server.resolve() {
        Ok((source, _)) => source,
        Err(error) => {
            complain!("error: {error}");
            return Exit::from(&error);
        }
    };
    for removed in leftovers::remove().await {
        complain!("removed {removed}");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = match source.kind() {
        // All clients would share one ledger and one role: a case would end the sessions of other clients.
        ServerKind::External => 1,
        _ => arguments.jobs.map_or(cores, usize::from),
    };
    tokio::select! {
        exit = check_all(clients, &arguments.server, at_once) => exit,
        () = stop_requested() => {
            complain!("stopped by a signal: all servers and clients were removed");
            Exit::Interrupted
        }
    }
}

/// Checks all clients, `at_once` at a time. Prints their outcomes in the order of the command line; returns the worst
/// exit.
async fn check_all(clients: Vec<ClientChoice>, server: &ServerChoice, at_once: usize) -> Exit {
    let mut waiting = clients.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    let mut printed = 0;
    let mut worst = Exit::Pass;
    loop {
        while running.len() < at_once
            && let Some((index, client)) = waiting.next()
        {
            let server = server.clone();
            running.spawn(async move {
                let outcomes = match make_ready(&client).await {
                    Ok(()) => check(&client, &server).await,
                    Err(error) => Err(error.into()),
                };
                (index, outcomes, client)
            });
        }
        let Some(finished) = running.join_next().await else { return worst };
        match finished {
            Ok(finished) => done.push(finished),
            // A panic is a defect of the harness: pass it on.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return Exit::Internal,
        }
        while let Some(next) = done.iter().position(|(index, ..)| *index == printed) {
            let (_, outcomes, client) = done.swap_remove(next);
            worst = worst.max(print_outcomes(&client, &outcomes));
            printed += 1;
        }
    }
}

/// Prints one client's outcomes as a block; returns their exit.
fn print_outcomes(client: &ClientChoice, outcomes: &Result<Vec<Outcome>, ConformanceError>) -> Exit {
    match outcomes {
        Ok(outcomes) => {
            say!("{}", client.name());
            outcomes.iter().for_each(|outcome| say!("  {outcome}"));
            if outcomes.iter().any(Outcome::failed) { Exit::Fail } else { Exit::Pass }
        }
        Err(error) => {
            complain!("error: {}: {error}", client.name());
            Exit::from(error)
        }
    }
}
