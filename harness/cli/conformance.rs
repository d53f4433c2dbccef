//! `pgsquall conformance`: the cases of the adapter protocol, asked of each client, told one line for each.

use pgsquall::client::ClientChoice;
use pgsquall::conformance::{ConformanceError, Outcome, check};
use pgsquall::environment::choice::{ServerChoice, ServerKind};
use pgsquall::environment::leftovers;
use tokio::task::JoinSet;

use crate::args::ConformanceArguments;
use crate::exit::Exit;
use crate::print::{complain, say};
use crate::run::{client, make_ready};
use crate::signals::asked_to_stop;

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
        // One ledger and one role for all: they would end each other's sessions.
        ServerKind::External => 1,
        _ => arguments.jobs.map_or(cores, usize::from),
    };
    tokio::select! {
        exit = check_all(clients, &arguments.server, at_once) => exit,
        () = asked_to_stop() => {
            complain!("stopped by a signal: everything was removed");
            Exit::Interrupted
        }
    }
}

/// Checks all clients, so many at once, and tells each in the order in which they were named; the worst exit wins.
async fn check_all(clients: Vec<ClientChoice>, server: &ServerChoice, at_once: usize) -> Exit {
    let mut waiting = clients.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    let mut told = 0;
    let mut worst = Exit::Pass;
    loop {
        while running.len() < at_once
            && let Some((index, client)) = waiting.next()
        {
            let server = server.clone();
            running.spawn(async move {
                let found = match make_ready(&client).await {
                    Ok(()) => check(&client, &server).await,
                    Err(error) => Err(error.into()),
                };
                (index, found, client)
            });
        }
        let Some(finished) = running.join_next().await else { return worst };
        match finished {
            Ok(finished) => done.push(finished),
            // A panic of the harness is not to be told as anything else.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return Exit::Internal,
        }
        while let Some(next) = done.iter().position(|(index, ..)| *index == told) {
            let (_, found, client) = done.swap_remove(next);
            worst = worst.max(tell(&client, &found));
            told += 1;
        }
    }
}

/// Tells one client's outcomes, as a block.
fn tell(client: &ClientChoice, found: &Result<Vec<Outcome>, ConformanceError>) -> Exit {
    match found {
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
