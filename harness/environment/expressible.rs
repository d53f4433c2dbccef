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

/// Whether servers and addresses can be had as a scenario asks.
///
/// *Errors*: why not, in words that can stand in a report.
pub fn arrangeable(layout: &Layout, server: ServerKind) -> Result<(), String> {
    match (layout.tls, server) {
        (Some(_), ServerKind::External) => Err("the server's certificates would have to be ours, and it is not".into()),
        (Some(_), _) if cfg!(not(feature = "tls")) => {
            Err("this build speaks no TLS; build it with the feature \"tls\"".into())
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
