//! Failover: which of two servers is the primary, and where the client's addresses lead.

mod arrangement;
mod promotion;
mod two_primaries;
mod wrong_node;

use self::arrangement::Arranging;
use self::promotion::{OldPrimary, Promoting};
use self::two_primaries::TwoPrimaries;
use self::wrong_node::WrongNode;
use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::model::fault::Failover;

/// Returns how a failover is carried out.
pub(super) fn injection(failover: Failover) -> Box<dyn Injection> {
    match failover {
        Failover::Promote => Box::new(Promoting::new(OldPrimary::Killed)),
        Failover::Demote => Box::new(Promoting::new(OldPrimary::Demoted)),
        Failover::PromoteInPlace => Box::new(Promoting::new(OldPrimary::Unchanged)),
        Failover::PromoteBeside => Box::<TwoPrimaries>::default(),
        Failover::WrongNode => Box::<WrongNode>::default(),
        Failover::StandbyFirst | Failover::DeadHangs | Failover::DeadRefuses => Box::new(Arranging::new(failover)),
    }
}
