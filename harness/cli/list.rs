//! `pgsquall list`: what there is, and what of it this machine can do.

use pgsquall::client::reference;
use pgsquall::environment::choice::{ServerChoice, ServerKind};
use pgsquall::environment::expressible::expressible;
use pgsquall::environment::{self, server};
use pgsquall::scenario::catalogue;

use crate::args::ListArguments;
use crate::exit::Exit;

pub async fn list(arguments: &ListArguments) -> Exit {
    let resolved = arguments.server.resolve();
    let kind = resolved.as_ref().map(|(source, _)| source.kind()).ok();

    println!("Scenarios (pgsquall show NAME prints one)");
    let mut group = String::new();
    for scenario in catalogue() {
        if scenario.group != group {
            group.clone_from(&scenario.group);
            println!("  {group}/");
        }
        let skipped = kind.and_then(|kind| why_not(&scenario, kind));
        let note = skipped.map_or_else(String::new, |reason| format!("  [skipped here: {reason}]"));
        println!("    {:24} {}{note}", scenario.name, scenario.title);
    }

    println!("\nClients (--client NAME, or --client 'COMMAND' for an adapter)");
    for (name, about) in reference::built_in() {
        println!("    {name:24} {about}");
    }

    println!("\nServers (--server)");
    match &resolved {
        Ok((source, why)) => {
            let because = why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            println!("    {:24} {source}{because}", name(&arguments.server));
        }
        Err(error) => println!("    {:24} not here: {error}", name(&arguments.server)),
    }
    match server::Binaries::find() {
        Ok(binaries) => {
            println!("    {:24} Postgres {} in {}", "local", binaries.version, binaries.folder.display());
        }
        Err(error) => println!("    {:24} not here: {error}", "local"),
    }
    match environment::docker_availability().await {
        Ok(found) => println!("    {:24} {found}", "docker"),
        Err(reason) => println!("    {:24} not here: {reason}", "docker"),
    }

    println!("\nThis machine");
    let (folder, in_memory) = environment::storage();
    let note = if in_memory {
        "in memory: a server is ready in well under 100 ms"
    } else {
        "on disk: starting a server takes about a second more"
    };
    println!("    data folders             {} ({note})", folder.display());
    println!("    proxy plane              here: needs nothing");
    println!("    kernel plane             not in this version: faults that drop packets cannot be asked yet");
    println!("    simulation plane         not in this version");
    // Nothing that can be asked is a fact about the machine worth an exit code; a scripted check can rely on it.
    if resolved.is_ok() { Exit::Pass } else { Exit::Unavailable }
}

/// Why a scenario cannot be asked of a server of this kind.
pub fn why_not(scenario: &pgsquall::scenario::Scenario, kind: ServerKind) -> Option<String> {
    scenario.faults.iter().find_map(|fault| expressible(fault.kind, kind).err())
}

fn name(choice: &ServerChoice) -> &'static str {
    match choice {
        ServerChoice::Auto => "auto",
        ServerChoice::Local(_) => "local (as asked)",
        ServerChoice::Docker(_) => "docker (as asked)",
        ServerChoice::External(_) => "the URL",
    }
}
