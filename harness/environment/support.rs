//! Checks which faults and topologies a server and a plane can truly produce. A run skips an unsupported scenario with
//! the reason; it never uses an approximation.

use super::choice::{ServerKind, ServerSource};
use crate::model::fault::{Fault, FaultKind, ServerTimeout};
use crate::model::middlebox::{Middlebox, Program};
use crate::model::plane::{Fidelity, Placements, Plane, PlaneChoice};
use crate::model::topology::{SmallDisk, Topology};
use crate::netns::{Availability, ClientNetns, available, names_available};
use crate::server;

/// Checks that this kind of server supports the faults, the topology and the middlebox of a scenario.
///
/// *Errors*: the first reason why not, for reports.
pub fn check_supported(
    faults: &[Fault],
    layout: &Topology,
    middlebox: Option<&Middlebox>,
    server: &ServerSource,
) -> Result<(), String> {
    faults.iter().try_for_each(|fault| check_fault(fault.kind, server.kind()))?;
    check_topology(layout, server.kind())?;
    middlebox.map_or(Ok(()), |middlebox| check_middlebox(middlebox.through, server))
}

/// Chooses the plane for these faults; returns the client's place on the kernel plane; `None`: the proxy plane.
///
/// *Errors*: why no suitable plane is available here, for reports.
pub(crate) async fn choose_placement(
    choice: PlaneChoice,
    faults: &[Fault],
    layout: &Topology,
    client: Placements,
) -> Result<Option<ClientNetns>, String> {
    let of_faults = faults.iter().map(|fault| fault.kind.fidelity()).max().unwrap_or(Fidelity::Alike);
    let fidelity = if layout.by_name { Fidelity::KernelAlone } else { of_faults };
    if choice == PlaneChoice::Only(Plane::Proxy) {
        if layout.by_name {
            return Err(format!("the proxy plane cannot serve a client that connects by host name: {NAMES}"));
        }
        return match faults.iter().find(|fault| fault.kind.fidelity() == Fidelity::KernelAlone) {
            Some(fault) => Err(no_proxy(fault.kind)),
            None => Ok(None),
        };
    }
    if choice == PlaneChoice::Auto && fidelity == Fidelity::Alike {
        return Ok(None);
    }
    match (kernel_placement(available().await, layout, client), choice, fidelity) {
        (Ok(placement), ..) => {
            faults.iter().try_for_each(|fault| check_countable(fault.kind))?;
            if layout.by_name {
                names_available()
                    .await
                    .as_ref()
                    .map_err(|reason| format!("the kernel plane is not available: {reason}"))?;
            }
            Ok(Some(placement))
        }
        (Err(_), PlaneChoice::Auto, Fidelity::TruerInKernel) => Ok(None),
        (Err(reason), ..) => Err(format!("the kernel plane is not available: {reason}")),
    }
}

/// Returns the plane that a run of a client with these placements would use.
///
/// *Errors*: no plane that can produce the faults is available; the text says why.
pub async fn plane(
    choice: PlaneChoice,
    faults: &[Fault],
    layout: &Topology,
    client: Placements,
) -> Result<Plane, String> {
    Ok(choose_placement(choice, faults, layout, client).await?.map_or(Plane::Proxy, |_| Plane::Kernel))
}

/// Checks that the kernel's connection table can express the fault's timeout: in whole seconds.
///
/// *Errors*: why not, for reports.
fn check_countable(fault: FaultKind) -> Result<(), String> {
    match fault {
        FaultKind::IdleReset { after } if after.subsec_nanos() > 0 => Err(format!(
            "the kernel plane cannot produce {fault}: its connection table counts in whole seconds; write whole seconds"
        )),
        _ => Ok(()),
    }
}

/// Returns the client's place on the kernel plane of this machine.
///
/// *Errors*: why no place is available, for reports.
fn kernel_placement(here: &Availability, layout: &Topology, client: Placements) -> Result<ClientNetns, String> {
    if layout.by_name && !client.process {
        return Err("a client in this process uses this machine's resolver, and the scenario needs its own name \
                    server; use a client in its own process (an adapter)"
            .into());
    }
    let (in_process, process) = (client.in_process && !layout.by_name, client.process);
    match (&here.in_process, &here.process) {
        (Ok(()), _) if in_process => Ok(ClientNetns::Machine),
        (_, Ok(())) if process => Ok(ClientNetns::Own),
        (_, Err(reason)) if process => Err(reason.clone()),
        (Err(reason), _) if in_process => Err(reason.clone()),
        _ => Err("this client can run neither in this process nor in its own".into()),
    }
}

/// The reason, for reports, that the proxy plane has no name server.
const NAMES: &str = "names are resolved in the client's network namespace, which only the kernel plane has";

/// Returns the reason, for reports, that the proxy plane cannot produce a fault.
fn no_proxy(fault: FaultKind) -> String {
    let why = match fault {
        FaultKind::Name(_) => NAMES,
        _ => "under a proxy the kernel acknowledges packets and answers probes, so that none is lost",
    };
    format!("the proxy plane cannot produce {fault}: {why}; use --network kernel")
}

/// Checks that the fault can truly be produced with this kind of server.
///
/// *Errors*: why not, for reports.
fn check_fault(fault: FaultKind, server: ServerKind) -> Result<(), String> {
    match (fault, server) {
        (fault, ServerKind::External) if !fault.is_network() => Err(format!(
            "{fault} needs a server started by pgsquall, and this one is external; use --server local or docker"
        )),
        _ => Ok(()),
    }
}

/// Checks that the topology can be built with this kind of server.
///
/// *Errors*: why not, for reports.
fn check_topology(layout: &Topology, server: ServerKind) -> Result<(), String> {
    let external = server == ServerKind::External;
    if external && layout.standby {
        return Err(
            "a standby needs servers started by pgsquall, and this one is external; use --server local or docker"
                .into(),
        );
    }
    if layout.by_name && cfg!(not(feature = "dns")) {
        return Err("this build lacks the feature \"dns\" (name server); build with it".into());
    }
    match layout.tls {
        Some(_) if external => {
            return Err(
                "TLS faults need a server started by pgsquall, and this one is external; use --server local or docker"
                    .into(),
            );
        }
        Some(_) if cfg!(not(feature = "tls")) => {
            return Err("this build lacks the feature \"tls\"; build with it".into());
        }
        _ => {}
    }
    layout.small_disk.map_or(Ok(()), |keeps| check_small_disk(keeps, server))
}

/// Checks that this kind of server can keep heap or WAL on a small disk.
///
/// *Errors*: why not, for reports.
pub(crate) fn check_small_disk(keeps: SmallDisk, server: ServerKind) -> Result<(), String> {
    match (keeps, server) {
        (_, ServerKind::External) => Err(
            "a small disk needs a server started by pgsquall, and this one is external; use --server local or docker"
                .into(),
        ),
        (SmallDisk::Heap, ServerKind::Docker) => Ok(()),
        (SmallDisk::Wal, ServerKind::Docker) => {
            Err("a container's small disk is in memory, so the WAL would be lost at a restart; use --server local"
                .into())
        }
        (_, ServerKind::Local) => server::can_have_small_disk(),
    }
}

/// Checks that the fault exists in this version of Postgres; called once the server has reported its version.
///
/// *Errors*: why not, for reports.
pub(crate) fn check_version(fault: FaultKind, version: &str) -> Result<(), String> {
    // "15.18", "18beta1"; an unreadable version counts as recent.
    let major = version.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse::<u32>().ok());
    match (fault, major) {
        (FaultKind::ServerTimeout { timeout: ServerTimeout::IdleSession, .. }, Some(..=13)) => {
            Err(format!("idle_session_timeout needs Postgres 14 or later, and this is {version}"))
        }
        _ => Ok(()),
    }
}

/// Checks that the middlebox is installed, and that PgBouncer has a password to sign in at the server.
///
/// *Errors*: why not, for reports.
fn check_middlebox(program: Program, server: &ServerSource) -> Result<(), String> {
    super::middlebox::find(program).map_err(|error| error.to_string())?;
    match server {
        ServerSource::External(url) if program == Program::PgBouncer && !server::has_password(url) => {
            Err(format!("{program} signs in at the server itself, and the URL has no password; add one"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::fault::{Failover, Scope, Stream};

    #[tokio::test]
    async fn host_names_need_a_client_in_its_own_process() {
        let layout = Topology { by_name: true, ..Topology::default() };
        let here = Availability { in_process: Ok(()), process: Ok(()) };
        let placements = |in_process, process| Placements { in_process, process };
        assert_eq!(kernel_placement(&here, &layout, placements(true, true)), Ok(ClientNetns::Own));
        assert_eq!(kernel_placement(&here, &Topology::default(), placements(true, true)), Ok(ClientNetns::Machine));
        let refused = kernel_placement(&here, &layout, placements(true, false)).unwrap_err();
        assert!(refused.contains("uses this machine's resolver"), "{refused}");
        let proxy = PlaneChoice::Only(Plane::Proxy);
        let refused = choose_placement(proxy, &[], &layout, placements(true, true)).await.unwrap_err();
        assert!(refused.contains("the proxy plane cannot"), "{refused}");
        let refused = check_topology(&layout, ServerKind::External);
        assert_eq!(refused.is_ok(), cfg!(feature = "dns"), "{refused:?}");
    }

    #[test]
    fn idle_session_timeout_needs_postgres_14() {
        let of = |timeout| FaultKind::ServerTimeout { timeout, after: Duration::from_secs(2) };
        let idle = of(ServerTimeout::IdleSession);
        assert!(
            check_version(idle, "13.23")
                .is_err_and(|reason| reason.contains("Postgres 14 or later, and this is 13.23"))
        );
        for version in ["14.0", "15.18 (Debian)", "18beta1", "devel"] {
            assert_eq!(check_version(idle, version), Ok(()), "{version}");
        }
        assert_eq!(check_version(of(ServerTimeout::Statement), "12.22"), Ok(()));
    }

    fn blackhole() -> [Fault; 1] {
        let kind = FaultKind::Blackhole { stream: Stream::Both, scope: Scope::Every };
        [Fault { kind, at: Duration::ZERO, lasts: Duration::from_secs(1) }]
    }

    #[tokio::test]
    async fn blackhole_needs_the_kernel_plane() {
        let plane_for = |choice| async move {
            let anywhere = Placements { in_process: true, process: true };
            plane(choice, &blackhole(), &Topology::default(), anywhere).await
        };
        let reason = plane_for(PlaneChoice::Only(Plane::Proxy)).await.unwrap_err();
        assert!(reason.contains("the proxy plane cannot produce") && reason.contains("--network kernel"), "{reason}");
        for choice in [PlaneChoice::Auto, PlaneChoice::Only(Plane::Kernel)] {
            match plane_for(choice).await {
                Ok(plane) => assert_eq!(plane, Plane::Kernel),
                Err(reason) => assert!(reason.starts_with("the kernel plane is not available: "), "{reason}"),
            }
        }
        let none =
            plane(PlaneChoice::Auto, &[], &Topology::default(), Placements { in_process: true, process: true }).await;
        assert_eq!(none, Ok(Plane::Proxy), "a run without faults needs no kernel plane");
    }

    #[test]
    fn client_has_a_kernel_placement_or_a_reason() {
        let not = |reason: &str| Err(reason.to_owned());
        let place = |in_process: Result<(), String>, process: Result<(), String>, client: [bool; 2]| {
            let [can_be_in_process, can_be_process] = client;
            let client = Placements { in_process: can_be_in_process, process: can_be_process };
            kernel_placement(&Availability { in_process, process }, &Topology::default(), client)
        };
        assert_eq!(place(Ok(()), Ok(()), [true, true]), Ok(ClientNetns::Machine));
        assert_eq!(place(Ok(()), Ok(()), [false, true]), Ok(ClientNetns::Own));
        assert_eq!(place(not("root"), Ok(()), [true, true]), Ok(ClientNetns::Own));
        assert_eq!(place(not("root"), Ok(()), [true, false]), Err("root".into()));
        assert_eq!(
            place(not("root"), not("no nft"), [true, true]),
            Err("no nft".into()),
            "the reason for clients in their own process"
        );
        assert_eq!(place(Ok(()), not("no nft"), [false, true]), Err("no nft".into()));
    }

    #[test]
    fn standby_needs_servers_started_by_pgsquall() {
        let layout = Topology { standby: true, ..Topology::default() };
        assert!(check_topology(&layout, ServerKind::External).unwrap_err().contains("started by pgsquall"));
        assert_eq!(check_topology(&layout, ServerKind::Local), Ok(()));
        assert_eq!(check_topology(&Topology::default(), ServerKind::External), Ok(()));
        let (promotion, dead) = (FaultKind::Failover(Failover::Promote), FaultKind::Failover(Failover::DeadHangs));
        assert!(check_fault(promotion, ServerKind::External).unwrap_err().contains("started by pgsquall"));
        assert_eq!(check_fault(dead, ServerKind::External), Ok(()), "the fault changes only addresses");
    }
}
