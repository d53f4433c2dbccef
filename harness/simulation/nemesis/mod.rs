//! The injections of simulated runs that differ from those of real runs, and the faults that cannot be simulated.
//!
//! Packet faults are rules of the simulated filter, as they are nftables rules on the kernel plane; half-open
//! connections are too. All other faults use the injections of real runs.

mod packets;

use self::packets::{SimulatedFiltering, SimulatedHalfOpening};
use crate::model::fault::{Fault, FaultKind};
use crate::nemesis::{self, Injection};
use crate::simnet::{Filter, FilterRule};

/// Returns the injection of a fault.
pub(super) fn injection(fault: &Fault, filter: Filter) -> Box<dyn Injection> {
    match (fault.kind, FilterRule::of(fault.kind)) {
        (_, Some(rule)) => Box::new(SimulatedFiltering::new(filter, rule)),
        (FaultKind::HalfOpen, None) => Box::new(SimulatedHalfOpening::new(filter)),
        _ => nemesis::injection(fault, false),
    }
}

/// Checks that a fault can be simulated.
///
/// *Errors*: the reason, worded for a report.
pub(super) fn check_fault(fault: &Fault) -> Result<(), String> {
    let kind = fault.kind;
    let reason = match kind {
        FaultKind::Name(_) | FaultKind::WrongHost => "nothing resolves names there",
        FaultKind::IdleExpiry | FaultKind::MiddleboxRestart => "it is one of a real program",
        FaultKind::Certificate(_) if cfg!(not(feature = "tls")) => "this build speaks no TLS",
        FaultKind::Blackhole { .. }
        | FaultKind::PacketLoss(_)
        | FaultKind::RejectIcmp(_)
        | FaultKind::Reject
        | FaultKind::Hang
        | FaultKind::IdleDrop { .. }
        | FaultKind::IdleReset { .. }
            if FilterRule::of(kind).is_none() =>
        {
            "no rule of the filter's is for it"
        }
        _ => return Ok(()),
    };
    Err(format!("{kind} is not the simulation's to produce: {reason}"))
}
