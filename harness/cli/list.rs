//! `pgsquall list`: what there is, and what of it this machine can do.

use pgsquall::client::reference;
use pgsquall::environment::choice::{ServerChoice, ServerSource};
use pgsquall::environment::expressible::askable;
use pgsquall::environment::{self, server};
use pgsquall::scenario::{Scenario, catalogue, cause_of};

use crate::args::ListArguments;
use crate::exit::Exit;
use crate::print::say;

pub async fn list(arguments: &ListArguments) -> Exit {
    let resolved = arguments.server.resolve();
    let source = resolved.as_ref().map(|(source, _)| source).ok();

    say!("Scenarios (pgsquall show NAME prints one)");
    let mut group = String::new();
    for scenario in catalogue() {
        if scenario.group != group {
            group.clone_from(&scenario.group);
            say!("  {group}/  {}", cause_of(&group).unwrap_or_default());
        }
        let skipped = source.and_then(|source| why_not(&scenario, source));
        let note = skipped.map_or_else(String::new, |reason| format!("  [skipped here: {reason}]"));
        say!("    {:32} {}{note}", scenario.name, scenario.title);
    }

    say!("\nClients (--client NAME, or --client 'COMMAND' for an adapter)");
    for (name, about) in reference::built_in() {
        say!("    {name:24} {about}");
    }

    say!("\nServers (--server)");
    match &resolved {
        Ok((source, why)) => {
            let because = why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            say!("    {:24} {source}{because}", name(&arguments.server));
        }
        Err(error) => say!("    {:24} not here: {error}", name(&arguments.server)),
    }
    match server::Binaries::find() {
        Ok(binaries) => {
            say!("    {:24} Postgres {} in {}", "local", binaries.version, binaries.folder.display());
        }
        Err(error) => say!("    {:24} not here: {error}", "local"),
    }
    match environment::docker_availability().await {
        Ok(found) => say!("    {:24} {found}", "docker"),
        Err(reason) => say!("    {:24} not here: {reason}", "docker"),
    }

    say!("\nThis machine");
    let (folder, in_memory) = environment::storage();
    let note = if in_memory {
        "in memory: a server is ready about a tenth of a second after it is asked for"
    } else {
        "on disk: starting a server takes about a second more"
    };
    say!("    data folders             {} ({note})", folder.display());
    say!("    proxy plane              here: needs nothing");
    say!("    kernel plane             not in this version: faults that drop packets cannot be asked yet");
    say!("    simulation plane         not in this version");
    // Nothing that can be asked is a fact about the machine worth an exit code; a scripted check can rely on it.
    if resolved.is_ok() { Exit::Pass } else { Exit::Unavailable }
}

/// Why a scenario cannot be asked of this server.
fn why_not(scenario: &Scenario, source: &ServerSource) -> Option<String> {
    askable(&scenario.faults, &scenario.layout, scenario.middlebox.as_ref(), source).err()
}

fn name(choice: &ServerChoice) -> &'static str {
    match choice {
        ServerChoice::Auto => "auto",
        ServerChoice::Local(_) => "local (as asked)",
        ServerChoice::Docker(_) => "docker (as asked)",
        ServerChoice::External(_) => "the URL",
    }
}
