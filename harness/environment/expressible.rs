//! Which fault can truly be produced where. What cannot is skipped with its reason, never replaced by something else.

use super::choice::{ServerKind, ServerSource};
use super::network;
use super::server;
use crate::fault::{FaultKind, StopMode};
use crate::layout::Layout;
use crate::middlebox::Program;

/// Whether the proxy plane, in front of a server of this kind, can truly produce the fault.
///
/// *Errors*: why not, in words that can stand in a report.
pub fn expressible(fault: FaultKind, server: ServerKind) -> Result<(), String> {
    match (fault, server) {
        (FaultKind::Restart(StopMode::Smart), _) => {
            Err("a smart shutdown waits for its sessions to leave; this version cannot stage that".into())
        }
        (fault, ServerKind::External) if !fault.is_network() => {
            Err(format!("{fault} would have to change a server that is not ours"))
        }
        _ => Ok(()),
    }
}

/// Whether servers and addresses can be laid out so, with servers of this kind.
///
/// *Errors*: why not, in words that can stand in a report.
pub fn arrangeable(layout: &Layout, server: ServerKind) -> Result<(), String> {
    match server {
        ServerKind::External if layout.standby => {
            Err("a standby must be made to follow, and can be promoted, only where the servers are ours".into())
        }
        _ => Ok(()),
    }
}

/// Whether a program can stand in the path to a server.
///
/// *Errors*: why not, in words that can stand in a report.
pub fn passable(program: Program, server: &ServerSource) -> Result<(), String> {
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
    use super::*;
    use crate::fault::Failover;

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
