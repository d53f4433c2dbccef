//! `pgsquall list`: scenarios, clients, devices, servers and planes, and what does not work on this machine.

use pgsquall::client::{reference, shipped};
use pgsquall::environment::choice::{ServerChoice, ServerSource};
use pgsquall::environment::support::{check_supported, plane};
use pgsquall::environment::{self, KernelAvailability};
use pgsquall::model::fault::{IdleDevice, USUAL_SCALE};
use pgsquall::model::plane::Placements;
use pgsquall::model::plane::PlaneChoice;
use pgsquall::model::time::exact;
use pgsquall::scenario::{Scenario, catalogue, cause_of};
use pgsquall::server::{self, ServerError};

use crate::args::ListArguments;
use crate::exit::Exit;
use crate::print::say;

/// The placements that the default client, `reference`, supports.
const DEFAULT_CLIENT: Placements = Placements { in_process: true, process: true };

/// The server that a choice resolves to, and why that one, if the choice is `auto`.
type Resolved = Result<(ServerSource, Option<String>), ServerError>;

pub async fn list(arguments: &ListArguments) -> Exit {
    let resolved = arguments.server.resolve();
    list_scenarios(resolved.as_ref().map(|(source, _)| source).ok()).await;
    list_clients();
    list_devices();
    list_servers(&arguments.server, &resolved).await;
    list_machine().await;
    // Scripts see by the exit code whether runs with this --server are possible.
    if resolved.is_ok() { Exit::Pass } else { Exit::Unavailable }
}

async fn list_scenarios(source: Option<&ServerSource>) {
    say!("Scenarios (pgsquall show NAME prints one)");
    let mut group = String::new();
    for scenario in catalogue() {
        if scenario.group != group {
            group.clone_from(&scenario.group);
            say!("  {group}/  {}", cause_of(&group).unwrap_or_default());
        }
        let skipped = match source {
            Some(source) => skip_reason(&scenario, source).await,
            None => None,
        };
        let note = skipped.map_or_else(String::new, |reason| format!("  [skipped here: {reason}]"));
        say!("    {:32} {}{note}", scenario.name, scenario.title);
    }
}

fn list_clients() {
    say!("\nClients (--client NAME, or --client 'COMMAND' for an adapter)");
    for (name, about) in reference::built_in() {
        say!("    {name:24} {about}");
    }
    say!("\nAdapters (--client NAME, or NAME:tuned; pgsquall init NAME writes one to a folder)");
    for adapter in shipped::adapters() {
        say!("    {:24} {}", adapter.name, adapter.manifest.about);
    }
}

fn list_devices() {
    say!("\nDevices that end idle connections (--device NAME; idle timeouts are divided by 100, or by --scale N)");
    for (word, device) in IdleDevice::ALL {
        let (real, here) = (exact(device.after).to_string(), exact(device.scaled(USUAL_SCALE)));
        say!("    {word:24} {real:8} here {:4} {}: {}", here.to_string(), device.name, device.expiry);
    }
}

async fn list_servers(choice: &ServerChoice, resolved: &Resolved) {
    say!("\nServers (--server)");
    match resolved {
        Ok((source, reason)) => {
            let reason = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
            say!("    {:24} {source}{reason}", label(choice));
        }
        Err(error) => say!("    {:24} not available: {error}", label(choice)),
    }
    match server::Binaries::find() {
        Ok(binaries) => {
            say!("    {:24} Postgres {} in {}", "local", binaries.version, binaries.folder.display());
        }
        Err(error) => say!("    {:24} not available: {error}", "local"),
    }
    match environment::docker_availability().await {
        Ok(engine) => say!("    {:24} {engine}", "docker"),
        Err(reason) => say!("    {:24} not available: {reason}", "docker"),
    }
}

async fn list_machine() {
    say!("\nThis machine");
    let (folder, in_memory) = environment::storage();
    let note = if in_memory {
        "in memory: a server starts in about a tenth of a second"
    } else {
        "on disk: a server takes about a second longer to start"
    };
    say!("    data folders             {} ({note})", folder.display());
    say!("    proxy plane              available: needs nothing");
    say!("    kernel plane             {}", describe_kernel(environment::kernel_availability().await));
    match cfg!(feature = "simulation") {
        true => say!("    simulation plane         available, for clients written in Rust (pgsquall sim)"),
        false => say!("    simulation plane         not in this build"),
    }
}

/// Returns why a run of the default client would skip this scenario with this server; `None` if it would not.
async fn skip_reason(scenario: &Scenario, source: &ServerSource) -> Option<String> {
    let Scenario { faults, layout, middlebox, .. } = scenario;
    match check_supported(faults, layout, middlebox.as_ref(), source) {
        Ok(()) => plane(PlaneChoice::Auto, faults, layout, DEFAULT_CLIENT).await.err(),
        Err(reason) => Some(reason),
    }
}

/// Describes which clients can use the kernel plane here, and why others cannot.
fn describe_kernel(available: &KernelAvailability) -> String {
    match (&available.in_process, &available.process) {
        (Ok(()), Ok(())) => "available: for clients in this process and in their own".into(),
        (Err(reason), Ok(())) => format!("available for clients in their own process ({reason})"),
        (Ok(()), Err(reason)) => format!("available for clients in this process; not for others: {reason}"),
        (Err(_), Err(reason)) => format!("not available: {reason}"),
    }
}

/// Returns the name of the first row of servers, which shows the chosen one.
fn label(choice: &ServerChoice) -> &'static str {
    match choice {
        ServerChoice::Auto => "auto",
        ServerChoice::Local(_) => "local (--server)",
        ServerChoice::Docker(_) => "docker (--server)",
        ServerChoice::External(_) => "the URL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_plane_names_the_clients_that_can_use_it() {
        let describe = |in_process: Result<(), &str>, process: Result<(), &str>| {
            let owned = |result: Result<(), &str>| result.map_err(str::to_owned);
            describe_kernel(&KernelAvailability { in_process: owned(in_process), process: owned(process) })
        };
        assert!(describe(Ok(()), Ok(())).starts_with("available: for clients in this process and"));
        assert_eq!(describe(Err("not root"), Ok(())), "available for clients in their own process (not root)");
        assert!(describe(Ok(()), Err("no space")).ends_with("not for others: no space"));
        assert_eq!(describe(Err("not root"), Err("no nft")), "not available: no nft");
    }
}
