//! `pgsquall list`: what there is, and what of it this machine can do.

use pgsquall::client::{reference, shipped};
use pgsquall::environment::choice::{ServerChoice, ServerSource};
use pgsquall::environment::support::{Placements, check_supported, plane};
use pgsquall::environment::{self, KernelAvailability};
use pgsquall::model::fault::{IdleDevice, USUAL_SCALE};
use pgsquall::model::plane::PlaneChoice;
use pgsquall::model::time::exact;
use pgsquall::scenario::{Scenario, catalogue, cause_of};
use pgsquall::server;

use crate::args::ListArguments;
use crate::exit::Exit;
use crate::print::say;

/// Where the client that is taken unless another is named can live.
const DEFAULT_CLIENT: Placements = Placements { in_process: true, process: true };

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
        let skipped = match source {
            Some(source) => why_not(&scenario, source).await,
            None => None,
        };
        let note = skipped.map_or_else(String::new, |reason| format!("  [skipped here: {reason}]"));
        say!("    {:32} {}{note}", scenario.name, scenario.title);
    }

    say!("\nClients (--client NAME, or --client 'COMMAND' for an adapter)");
    for (name, about) in reference::built_in() {
        say!("    {name:24} {about}");
    }

    say!("\nAdapters (--client NAME, or NAME:tuned; pgsquall init NAME writes one out)");
    for adapter in shipped::adapters() {
        say!("    {:24} {}", adapter.name, adapter.manifest.about);
    }

    say!("\nDevices that end idle connections (--device NAME, at a hundredth of their time unless --scale N)");
    for (word, device) in IdleDevice::ALL {
        let (real, here) = (exact(device.after).to_string(), exact(device.scaled(USUAL_SCALE)));
        say!("    {word:24} {real:8} here {:4} {}: {}", here.to_string(), device.name, device.expiry);
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
    say!("    kernel plane             {}", in_words(environment::kernel_availability().await));
    match cfg!(feature = "simulation") {
        true => say!("    simulation plane         yes, for clients written in Rust (pgsquall sim)"),
        false => say!("    simulation plane         not in this build"),
    }
    // Nothing that can be asked is a fact about the machine worth an exit code; a scripted check can rely on it.
    if resolved.is_ok() { Exit::Pass } else { Exit::Unavailable }
}

/// Why a scenario cannot be asked of this server, on any plane that there is here.
async fn why_not(scenario: &Scenario, source: &ServerSource) -> Option<String> {
    let Scenario { faults, layout, middlebox, .. } = scenario;
    match check_supported(faults, layout, middlebox.as_ref(), source) {
        Ok(()) => plane(PlaneChoice::Auto, faults, layout, DEFAULT_CLIENT).await.err(),
        Err(reason) => Some(reason),
    }
}

/// For whom there is a kernel plane here, and why not for others.
fn in_words(found: &KernelAvailability) -> String {
    match (&found.in_process, &found.process) {
        (Ok(()), Ok(())) => "here: for clients in this process, and for those that are processes".into(),
        (Err(reason), Ok(())) => format!("here for clients that are processes ({reason})"),
        (Ok(()), Err(reason)) => format!("here for clients in this process; not for processes: {reason}"),
        (Err(_), Err(reason)) => format!("not here: {reason}"),
    }
}

fn name(choice: &ServerChoice) -> &'static str {
    match choice {
        ServerChoice::Auto => "auto",
        ServerChoice::Local(_) => "local (as asked)",
        ServerChoice::Docker(_) => "docker (as asked)",
        ServerChoice::External(_) => "the URL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_plane_is_there_for_some_for_all_or_for_nobody() {
        let found = |in_process: Result<(), &str>, process: Result<(), &str>| {
            let owned = |found: Result<(), &str>| found.map_err(str::to_owned);
            in_words(&KernelAvailability { in_process: owned(in_process), process: owned(process) })
        };
        assert!(found(Ok(()), Ok(())).starts_with("here: for clients in this process, and"));
        assert_eq!(found(Err("not root"), Ok(())), "here for clients that are processes (not root)");
        assert!(found(Ok(()), Err("no space")).ends_with("not for processes: no space"));
        assert_eq!(found(Err("not root"), Err("no nft")), "not here: no nft");
    }
}
