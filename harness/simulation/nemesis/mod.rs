//! Faults of simulated runs that are carried out otherwise than on real servers, and those that cannot be simulated.
//!
//! Faults of packets are rules of the simulated filter, as they are rules of the kernel's on the kernel plane. All others
//! are the injections of real runs.

mod packets;

use self::packets::{Filtering, HalfOpening};
use crate::model::fault::{Fault, FaultKind};
use crate::nemesis::{self, Injection};
use crate::simnet::{Filter, FilterRule};

/// How a fault is carried out.
pub(super) fn injection(fault: &Fault, filter: Filter) -> Box<dyn Injection> {
    match (fault.kind, FilterRule::of(fault.kind)) {
        (_, Some(rule)) => Box::new(Filtering::new(filter, rule)),
        (FaultKind::HalfOpen, None) => Box::new(HalfOpening::new(filter)),
        _ => nemesis::injection(fault, false),
    }
}

/// Whether a fault can be simulated.
///
/// *Errors*: why not, in words that can stand in a report.
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
