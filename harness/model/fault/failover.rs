//! What can happen between a primary and its standby. Plain data; `nemesis/failover` carries it out.

use serde::{Deserialize, Serialize};

/// A change of roles, or of where addresses lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failover {
    /// The primary is killed; on heal the standby is promoted, and a client that has one address finds it there.
    Promote,
    /// The primary becomes read-only and stays reachable; on heal the standby is promoted.
    Demote,
    /// The address leads to the read-only standby; on heal it leads to the primary again, and connections to the
    /// standby stay open.
    WrongNode,
    /// The client's first address is the standby's, from the start.
    StandbyFirst,
    /// SYNs to the address on which no server is are dropped, from the start.
    DeadHangs,
    /// Connections to the address on which no server is are refused, from the start.
    DeadRefuses,
    /// The client's address leads to the standby from the start; on heal the standby is promoted, and nobody is told.
    PromoteInPlace,
    /// The standby is promoted while the old primary goes on taking sessions and writes, which nobody confirms any
    /// more; on heal the old one is fenced: read-only, and its sessions ended.
    PromoteBeside,
}

impl Failover {
    /// Every change, by the word used in scenario files.
    pub const ALL: [(&str, Failover); 8] = [
        ("promote-standby", Failover::Promote),
        ("demote-primary", Failover::Demote),
        ("lead-to-standby", Failover::WrongNode),
        ("standby-first", Failover::StandbyFirst),
        ("dead-address-hangs", Failover::DeadHangs),
        ("dead-address-refuses", Failover::DeadRefuses),
        ("promote-in-place", Failover::PromoteInPlace),
        ("promote-beside-primary", Failover::PromoteBeside),
    ];

    /// Whether it is there before the client, so that it asks what the client makes of it rather than whether it comes
    /// back.
    pub fn is_arrangement(self) -> bool {
        use Failover::{DeadHangs, DeadRefuses, PromoteInPlace, StandbyFirst};
        matches!(self, StandbyFirst | DeadHangs | DeadRefuses | PromoteInPlace)
    }

    /// Whether operations that fail before heal bear witness to it: no write can succeed then, or nobody counts those
    /// whom a kernel refuses.
    pub fn is_felt(self) -> bool {
        use Failover::{DeadRefuses, Demote, Promote, PromoteInPlace, WrongNode};
        matches!(self, Promote | Demote | WrongNode | PromoteInPlace | DeadRefuses)
    }

    /// Whether a client that knows its servers by a name can meet it: the name leads to the same addresses throughout,
    /// or from the old primary's to the new one's.
    pub fn keeps_names(self) -> bool {
        matches!(self, Failover::Promote | Failover::DeadHangs | Failover::DeadRefuses)
    }

    /// Whether there must be a standby.
    pub fn needs_standby(self) -> bool {
        !matches!(self, Failover::DeadHangs | Failover::DeadRefuses)
    }
}
