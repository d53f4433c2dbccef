//! Which fault can truly be produced where. What cannot is skipped with its reason, never replaced by something else.

use super::choice::{ServerKind, ServerSource};
use super::network;
use super::server;
use crate::fault::{Fault, FaultKind, ServerTimeout};
use crate::layout::{Layout, SmallDisk};
use crate::middlebox::{Middlebox, Program};

/// Whether all of this can be had of a server: the faults, what they need to be there, and what stands in the path.
///
/// *Errors*: the first reason why not, in words that can stand in a report.
pub fn askable(
    faults: &[Fault],
    layout: &Layout,
    middlebox: Option<&Middlebox>,
    server: &ServerSource,
) -> Result<(), String> {
    faults.iter().try_for_each(|fault| expressible(fault.kind, server.kind()))?;
    arrangeable(layout, server.kind())?;
    middlebox.map_or(Ok(()), |middlebox| passable(middlebox.through, server))
}

/// Whether the proxy plane, in front of a server of this kind, can truly produce the fault.
///
/// *Errors*: why not, in words that can stand in a report.
fn expressible(fault: FaultKind, server: ServerKind) -> Result<(), String> {
    match (fault, server) {
        (fault, ServerKind::External) if !fault.is_network() => {
            Err(format!("{fault} would have to change a server that is not ours"))
        }
        (FaultKind::ExhaustMemory, ServerKind::Local) if !cfg!(target_os = "linux") => {
            Err("only on Linux can the memory of a process be limited from outside".into())
        }
        _ => Ok(()),
    }
}

/// Whether servers and addresses can be laid out so, with servers of this kind.
///
/// *Errors*: why not, in words that can stand in a report.
fn arrangeable(layout: &Layout, server: ServerKind) -> Result<(), String> {
    let external = server == ServerKind::External;
    if external && layout.standby {
        return Err("a standby must be made to follow, and can be promoted, only where the servers are ours".into());
    }
    match layout.tls {
        Some(_) if external => return Err("the server's certificates would have to be ours, and it is not".into()),
        Some(_) if cfg!(not(feature = "tls")) => {
            return Err("this build speaks no TLS; build it with the feature \"tls\"".into());
        }
        _ => {}
    }
    layout.small_disk.map_or(Ok(()), |keeps| roomy(keeps, server))
}

/// Whether a server can keep this on a small disk.
pub(crate) fn roomy(keeps: SmallDisk, server: ServerKind) -> Result<(), String> {
    match (keeps, server) {
        (_, ServerKind::External) => Err("a server that is not ours cannot be given a small disk".into()),
        (SmallDisk::Heap, ServerKind::Docker) => Ok(()),
        (SmallDisk::Wal, ServerKind::Docker) => {
            Err("a container's small disk is in memory and is lost with its server, and the WAL with it".into())
        }
        #[cfg(target_os = "linux")]
        (_, ServerKind::Local) => server::can_have_small_disk(),
        #[cfg(not(target_os = "linux"))]
        (_, ServerKind::Local) => Err("a small disk needs private mounts, which only Linux has".into()),
    }
}

/// Whether a server of this version has what the fault needs; asked once the server is up, and says its version.
///
/// *Errors*: why not, in words that can stand in a report.
pub(crate) fn known_to(fault: FaultKind, version: &str) -> Result<(), String> {
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
    network::find(program).map_err(|error| error.to_string())?;
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
    use crate::fault::Failover;

    #[test]
    fn an_old_server_does_not_end_idle_sessions() {
        let of = |timeout| FaultKind::ServerTimeout { timeout, after: Duration::from_secs(2) };
        let idle = of(ServerTimeout::IdleSession);
        assert!(known_to(idle, "13.23").is_err_and(|reason| reason.contains("from version 14 on, and this is 13.23")));
        for version in ["14.0", "15.18 (Debian)", "18beta1", "devel"] {
            assert_eq!(known_to(idle, version), Ok(()), "{version}");
        }
        assert_eq!(known_to(of(ServerTimeout::Statement), "12.22"), Ok(()));
    }

    #[test]
    fn a_standby_takes_servers_of_ours() {
        let layout = Layout { standby: true, ..Layout::default() };
        assert!(arrangeable(&layout, ServerKind::External).unwrap_err().contains("ours"));
        assert_eq!(arrangeable(&layout, ServerKind::Local), Ok(()));
        assert_eq!(arrangeable(&Layout::default(), ServerKind::External), Ok(()));
        let (promotion, dead) = (FaultKind::Failover(Failover::Promote), FaultKind::Failover(Failover::DeadHangs));
        assert!(expressible(promotion, ServerKind::External).unwrap_err().contains("not ours"));
        assert_eq!(expressible(dead, ServerKind::External), Ok(()), "an address alone is ours to give");
    }
}
