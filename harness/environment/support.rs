//! Which fault can truly be produced where. What cannot is skipped with its reason, never replaced by something else.

use super::choice::{ServerKind, ServerSource};
use crate::model::fault::{Fault, FaultKind, ServerTimeout};
use crate::model::middlebox::{Middlebox, Program};
use crate::model::plane::{Fidelity, Plane, PlaneChoice};
use crate::model::topology::{SmallDisk, Topology};
use crate::netns::{Availability, ClientNetns, available, names_available};
use crate::server;

/// Whether all of this can be had of a server: the faults, what they need to be there, and what stands in the path.
///
/// *Errors*: the first reason why not, in words that can stand in a report.
pub fn check_supported(
    faults: &[Fault],
    layout: &Topology,
    middlebox: Option<&Middlebox>,
    server: &ServerSource,
) -> Result<(), String> {
    faults.iter().try_for_each(|fault| expressible(fault.kind, server.kind()))?;
    check_topology(layout, server.kind())?;
    middlebox.map_or(Ok(()), |middlebox| passable(middlebox.through, server))
}

/// Where a client can live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placements {
    /// In this process.
    pub in_process: bool,
    /// In a process of its own.
    pub process: bool,
}

/// Chooses the plane for these faults, and where on it the client is to be; `None`: the proxy plane.
///
/// *Errors*: why no plane that will do can be had here, in words that can stand in a report.
pub(crate) async fn side(
    choice: PlaneChoice,
    faults: &[Fault],
    layout: &Topology,
    client: Placements,
) -> Result<Option<ClientNetns>, String> {
    let of_faults = faults.iter().map(|fault| fault.kind.fidelity()).max().unwrap_or(Fidelity::Alike);
    let fidelity = if layout.by_name { Fidelity::KernelAlone } else { of_faults };
    if choice == PlaneChoice::Only(Plane::Proxy) {
        if layout.by_name {
            return Err(format!("a client that knows its server by a name is not the proxy plane's: {NAMES}"));
        }
        return match faults.iter().find(|fault| fault.kind.fidelity() == Fidelity::KernelAlone) {
            Some(fault) => Err(no_proxy(fault.kind)),
            None => Ok(None),
        };
    }
    if choice == PlaneChoice::Auto && fidelity == Fidelity::Alike {
        return Ok(None);
    }
    match (side_of(available().await, layout, client), choice, fidelity) {
        (Ok(side), ..) => {
            faults.iter().try_for_each(|fault| check_countable(fault.kind))?;
            if layout.by_name {
                names_available().await.as_ref().map_err(|reason| format!("no kernel plane: {reason}"))?;
            }
            Ok(Some(side))
        }
        (Err(_), PlaneChoice::Auto, Fidelity::TruerInKernel) => Ok(None),
        (Err(reason), ..) => Err(format!("no kernel plane: {reason}")),
    }
}

/// The plane on which faults would be brought about for a client of this kind: what a run comes to.
///
/// *Errors*: as there.
pub async fn plane(
    choice: PlaneChoice,
    faults: &[Fault],
    layout: &Topology,
    client: Placements,
) -> Result<Plane, String> {
    Ok(side(choice, faults, layout, client).await?.map_or(Plane::Proxy, |_| Plane::Kernel))
}

/// Whether the kernel's own table of connections counts as a fault asks.
fn check_countable(fault: FaultKind) -> Result<(), String> {
    match fault {
        FaultKind::IdleReset { after } if after.subsec_nanos() > 0 => Err(format!(
            "{fault} is not the kernel plane's to produce: its table of connections counts in whole seconds"
        )),
        _ => Ok(()),
    }
}

/// Where on the kernel plane a client can be, here.
fn side_of(here: &Availability, layout: &Topology, client: Placements) -> Result<ClientNetns, String> {
    if layout.by_name && !client.process {
        return Err("the client knows its server by a name, and one in this process asks the machine's own resolver; \
                    only a client that is a process can be given another"
            .into());
    }
    let (in_process, process) = (client.in_process && !layout.by_name, client.process);
    match (&here.in_process, &here.process) {
        (Ok(()), _) if in_process => Ok(ClientNetns::Machine),
        (_, Ok(())) if process => Ok(ClientNetns::Own),
        (_, Err(reason)) if process => Err(reason.clone()),
        (Err(reason), _) if in_process => Err(reason.clone()),
        _ => Err("this client has no place in it".into()),
    }
}

/// Why the proxy plane has no names.
const NAMES: &str = "names are resolved on the client's side of the network, which only the kernel plane has";

/// Why the proxy plane has to leave a fault out.
fn no_proxy(fault: FaultKind) -> String {
    let why = match fault {
        FaultKind::Name(_) => NAMES,
        _ => "the kernel under a proxy acknowledges packets and answers probes, so that none is ever lost",
    };
    format!("{fault} is not the proxy plane's to produce: {why} (--network kernel)")
}

/// Whether any plane, in front of a server of this kind, can truly produce the fault.
///
/// *Errors*: why not, in words that can stand in a report.
fn expressible(fault: FaultKind, server: ServerKind) -> Result<(), String> {
    match (fault, server) {
        (fault, ServerKind::External) if !fault.is_network() => {
            Err(format!("{fault} would have to change a server that is not ours"))
        }
        _ => Ok(()),
    }
}

/// Whether servers and addresses can be laid out so, with servers of this kind.
///
/// *Errors*: why not, in words that can stand in a report.
fn check_topology(layout: &Topology, server: ServerKind) -> Result<(), String> {
    let external = server == ServerKind::External;
    if external && layout.standby {
        return Err("a standby must be made to follow, and can be promoted, only where the servers are ours".into());
    }
    if layout.by_name && cfg!(not(feature = "dns")) {
        return Err("this build has no name server; build it with the feature \"dns\"".into());
    }
    match layout.tls {
        Some(_) if external => return Err("the server's certificates would have to be ours, and it is not".into()),
        Some(_) if cfg!(not(feature = "tls")) => {
            return Err("this build speaks no TLS; build it with the feature \"tls\"".into());
        }
        _ => {}
    }
    layout.small_disk.map_or(Ok(()), |keeps| check_small_disk(keeps, server))
}

/// Whether a server can keep this on a small disk.
pub(crate) fn check_small_disk(keeps: SmallDisk, server: ServerKind) -> Result<(), String> {
    match (keeps, server) {
        (_, ServerKind::External) => Err("a server that is not ours cannot be given a small disk".into()),
        (SmallDisk::Heap, ServerKind::Docker) => Ok(()),
        (SmallDisk::Wal, ServerKind::Docker) => {
            Err("a container's small disk is in memory and is lost with its server, and the WAL with it".into())
        }
        (_, ServerKind::Local) => server::can_have_small_disk(),
    }
}

/// Whether a server of this version has what the fault needs; asked once the server is up, and says its version.
///
/// *Errors*: why not, in words that can stand in a report.
pub(crate) fn check_version(fault: FaultKind, version: &str) -> Result<(), String> {
    // "15.18", "18beta1"; what cannot be read is taken for new.
    let major = version.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse::<u32>().ok());
    match (fault, major) {
        (FaultKind::ServerTimeout { timeout: ServerTimeout::IdleSession, .. }, Some(..=13)) => {
            Err(format!("Postgres has an idle_session_timeout from version 14 on, and this is {version}"))
        }
        _ => Ok(()),
    }
}

/// Whether a program can stand in the path to a server.
///
/// *Errors*: why not, in words that can stand in a report.
fn passable(program: Program, server: &ServerSource) -> Result<(), String> {
    super::middlebox::find(program).map_err(|error| error.to_string())?;
    match server {
        ServerSource::External(url) if program == Program::PgBouncer && !server::has_password(url) => {
            Err(format!("{program} signs in at the server itself, and the URL has no password"))
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
    async fn a_name_takes_a_client_that_is_a_process() {
        let layout = Topology { by_name: true, ..Topology::default() };
        let here = Availability { in_process: Ok(()), process: Ok(()) };
        let abodes = |in_process, process| Placements { in_process, process };
        assert_eq!(side_of(&here, &layout, abodes(true, true)), Ok(ClientNetns::Own));
        assert_eq!(side_of(&here, &Topology::default(), abodes(true, true)), Ok(ClientNetns::Machine));
        let refused = side_of(&here, &layout, abodes(true, false)).unwrap_err();
        assert!(refused.contains("asks the machine's own resolver"), "{refused}");
        let proxy = PlaneChoice::Only(Plane::Proxy);
        let refused = side(proxy, &[], &layout, abodes(true, true)).await.unwrap_err();
        assert!(refused.contains("not the proxy plane's"), "{refused}");
        let refused = check_topology(&layout, ServerKind::External);
        assert_eq!(refused.is_ok(), cfg!(feature = "dns"), "{refused:?}");
    }

    #[test]
    fn an_old_server_does_not_end_idle_sessions() {
        let of = |timeout| FaultKind::ServerTimeout { timeout, after: Duration::from_secs(2) };
        let idle = of(ServerTimeout::IdleSession);
        assert!(
            check_version(idle, "13.23").is_err_and(|reason| reason.contains("from version 14 on, and this is 13.23"))
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
    async fn packets_are_lost_on_the_kernel_plane_alone() {
        let asked = |choice| async move {
            let anywhere = Placements { in_process: true, process: true };
            plane(choice, &blackhole(), &Topology::default(), anywhere).await
        };
        let reason = asked(PlaneChoice::Only(Plane::Proxy)).await.unwrap_err();
        assert!(reason.contains("not the proxy plane's to produce") && reason.contains("--network kernel"), "{reason}");
        for choice in [PlaneChoice::Auto, PlaneChoice::Only(Plane::Kernel)] {
            match asked(choice).await {
                Ok(plane) => assert_eq!(plane, Plane::Kernel),
                Err(reason) => assert!(reason.starts_with("no kernel plane: "), "{reason}"),
            }
        }
        let none =
            plane(PlaneChoice::Auto, &[], &Topology::default(), Placements { in_process: true, process: true }).await;
        assert_eq!(none, Ok(Plane::Proxy), "what every plane does alike needs none of its own");
    }

    #[test]
    fn a_client_has_a_side_of_the_kernel_plane_or_a_reason() {
        let not = |reason: &str| Err(reason.to_owned());
        let side = |in_process: Result<(), String>, process: Result<(), String>, client: [bool; 2]| {
            let [can_be_in_process, can_be_process] = client;
            let client = Placements { in_process: can_be_in_process, process: can_be_process };
            side_of(&Availability { in_process, process }, &Topology::default(), client)
        };
        assert_eq!(side(Ok(()), Ok(()), [true, true]), Ok(ClientNetns::Machine));
        assert_eq!(side(Ok(()), Ok(()), [false, true]), Ok(ClientNetns::Own));
        assert_eq!(side(not("root"), Ok(()), [true, true]), Ok(ClientNetns::Own));
        assert_eq!(side(not("root"), Ok(()), [true, false]), Err("root".into()));
        assert_eq!(side(not("root"), not("no nft"), [true, true]), Err("no nft".into()), "what a process lacks");
        assert_eq!(side(Ok(()), not("no nft"), [false, true]), Err("no nft".into()));
    }

    #[test]
    fn a_standby_takes_servers_of_ours() {
        let layout = Topology { standby: true, ..Topology::default() };
        assert!(check_topology(&layout, ServerKind::External).unwrap_err().contains("ours"));
        assert_eq!(check_topology(&layout, ServerKind::Local), Ok(()));
        assert_eq!(check_topology(&Topology::default(), ServerKind::External), Ok(()));
        let (promotion, dead) = (FaultKind::Failover(Failover::Promote), FaultKind::Failover(Failover::DeadHangs));
        assert!(expressible(promotion, ServerKind::External).unwrap_err().contains("not ours"));
        assert_eq!(expressible(dead, ServerKind::External), Ok(()), "an address alone is ours to give");
    }
}
