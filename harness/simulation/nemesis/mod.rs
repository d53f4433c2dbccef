//! The nemesis of simulated runs: which fault is carried out how, and which cannot be.
//!
//! What the gateway does is done by the injections of real runs; what packets feel is the simulated filter's, as it is the
//! kernel's on the kernel plane; and the server's own misfortunes are the simulated server's.

mod credentials;
mod failover;
mod herd;
mod packets;
mod refusals;
mod resources;
mod server;

use self::credentials::{DenyingRange, RotatingPassword};
use self::herd::Stampede;
use self::packets::{Filtering, HalfOpening};
use self::refusals::{Denial, Denying, Terminating};
use self::resources::{FillingDisk, Throttling};
use self::server::{Crashing, Freezing, Restarting, SmartRestart, TimingOut};
use super::world::World;
use crate::gateway::{Cut, Expiry, RuleKind as Rule};
use crate::model::fault::{Fault, FaultKind, StopMode};
#[cfg(feature = "tls")]
use crate::nemesis::certificate;
use crate::nemesis::{BlockNewConnections, Cutting, Door, End, Injection, RuleFault};
use crate::simnet::FilterRule;

/// How a fault is carried out.
///
/// *Errors*: why it cannot be.
pub(super) fn injection(fault: &Fault) -> Result<Box<dyn Injection<World>>, String> {
    let kind = fault.kind;
    if let Some(what) = FilterRule::of(kind) {
        return Ok(Box::new(Filtering::new(what)));
    }
    let denied = |denial| -> Box<dyn Injection<World>> { Box::new(Denying::new(denial)) };
    Ok(match kind {
        FaultKind::Close => Box::new(Cutting::new(Cut::Close, None)),
        FaultKind::Reset => Box::new(Cutting::new(Cut::Reset, None)),
        FaultKind::CloseRepeatedly { every } => Box::new(Cutting::new(Cut::Close, Some(every))),
        FaultKind::ResetRepeatedly { every } => Box::new(Cutting::new(Cut::Reset, Some(every))),
        FaultKind::HalfOpen => Box::<HalfOpening>::default(),
        FaultKind::CutPoint(cut) => Box::new(RuleFault::new(kind.to_string(), Rule::CutPoint(cut))),
        FaultKind::Toxic(toxic) => Box::new(RuleFault::new(kind.to_string(), Rule::Toxic(toxic))),
        FaultKind::IdleClose { after } => Box::new(RuleFault::idle(kind.to_string(), after, Expiry::Cut(Cut::Close))),
        FaultKind::Refuse => Box::new(BlockNewConnections::new(Door::Refuse)),
        FaultKind::Restart(StopMode::Smart) => Box::<SmartRestart>::default(),
        FaultKind::Restart(mode) => Box::new(Restarting::new(End::Stop(mode))),
        FaultKind::Kill => Box::new(Restarting::new(End::Kill)),
        FaultKind::Freeze => Box::<Freezing>::default(),
        FaultKind::CrashBackend => Box::new(Crashing::new(false)),
        FaultKind::LongRecovery => Box::new(Crashing::new(true)),
        FaultKind::TerminateSessions => Box::<Terminating>::default(),
        FaultKind::ExhaustConnections => denied(Denial::Slots { reserved_too: true }),
        FaultKind::ExhaustOrdinaryConnections => denied(Denial::Slots { reserved_too: false }),
        FaultKind::LimitRole => denied(Denial::RoleLimit),
        FaultKind::WrongPassword => denied(Denial::Password),
        FaultKind::WrongUser => denied(Denial::Role),
        FaultKind::WrongDatabase => denied(Denial::Database),
        FaultKind::ForbidLogin => denied(Denial::Login),
        FaultKind::RevokeConnect => denied(Denial::Connect),
        FaultKind::DenyHost => denied(Denial::Host),
        FaultKind::ExhaustMemory => denied(Denial::Memory),
        FaultKind::FillDisk => Box::<FillingDisk>::default(),
        FaultKind::Throttle(share) => Box::new(Throttling::new(share)),
        FaultKind::Herd => Box::<Stampede>::default(),
        FaultKind::RotatePassword => Box::<RotatingPassword>::default(),
        FaultKind::DenyRange => Box::<DenyingRange>::default(),
        FaultKind::Failover(failover) => failover::injection(failover),
        FaultKind::ServerTimeout { timeout, after } => Box::new(TimingOut::new(timeout, after)),
        FaultKind::Name(_) | FaultKind::WrongHost => return Err(cannot(kind, "nothing resolves names there")),
        FaultKind::RequireTls => denied(Denial::Plaintext),
        #[cfg(feature = "tls")]
        FaultKind::Certificate(of) => certificate::injection(of, fault),
        #[cfg(not(feature = "tls"))]
        FaultKind::Certificate(_) => return Err(cannot(kind, "this build speaks no TLS")),
        FaultKind::IdleExpiry | FaultKind::MiddleboxRestart => {
            return Err(cannot(kind, "it is one of a real program"));
        }
        // What the filter does, above.
        FaultKind::Blackhole { .. }
        | FaultKind::PacketLoss(_)
        | FaultKind::RejectIcmp(_)
        | FaultKind::Reject
        | FaultKind::Hang
        | FaultKind::IdleDrop { .. }
        | FaultKind::IdleReset { .. } => return Err(cannot(kind, "no rule of the filter's is for it")),
    })
}

fn cannot(kind: FaultKind, why: &str) -> String {
    format!("{kind} is not the simulation's to produce: {why}")
}
