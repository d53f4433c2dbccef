//! Faults between a primary and its standby. Plain data; `nemesis/failover` injects them.

use serde::{Deserialize, Serialize};

use super::spec::{ExpectedError as Error, FaultSpec, Hosts, Remedy, fault_table, unit};

/// A change of roles, or of the server behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failover {
    /// The primary is killed; on heal the standby is promoted, and the address of a client with only one leads to it.
    Promote,
    /// The primary becomes read-only and stays reachable; on heal the standby is promoted.
    Demote,
    /// The address leads to the read-only standby; on heal it leads to the primary again, and connections to the
    /// standby stay open.
    WrongNode,
    /// The client's first address is the standby's, from the start.
    StandbyFirst,
    /// From the start, SYNs to the client's first address, which has no server, are dropped.
    DeadHangs,
    /// From the start, connections to the client's first address, which has no server, are refused.
    DeadRefuses,
    /// The client's address leads to the standby from the start; on heal the standby is promoted, and no connection is
    /// cut.
    PromoteInPlace,
    /// The standby is promoted while the old primary still accepts sessions and writes, which no standby confirms any
    /// more; on heal the old primary is fenced: it becomes read-only, and its sessions are ended.
    PromoteBeside,
}

fault_table! { FAILOVERS:
    PROMOTE = "promote-standby" Server Lasting Alike Blocked Lost Interrupted Evidence,
        Addresses { hosts: Hosts::Any, by_name: true }, FIND_PRIMARY, Error::None, unit!(Failover(Failover::Promote));
    DEMOTE = "demote-primary" Server Lasting Alike Open Kept Interrupted Evidence,
        Addresses { hosts: Hosts::AtLeastTwo, by_name: false }, FIND_PRIMARY, Error::None, unit!(Failover(Failover::Demote));
    WRONG_NODE = "lead-to-standby" Server Lasting Alike Open Kept Interrupted Evidence,
        Addresses { hosts: Hosts::PrimaryAlone, by_name: false }, FIND_PRIMARY, Error::None, unit!(Failover(Failover::WrongNode));
    STANDBY_FIRST = "standby-first" Server Arranged Alike Open Kept Interrupted NoEvidence,
        Addresses { hosts: Hosts::StandbyFirst, by_name: false }, FIND_PRIMARY, Error::None, unit!(Failover(Failover::StandbyFirst));
    DEAD_HANGS = "dead-address-hangs" Path Arranged Alike Open Kept Interrupted NoEvidence,
        Addresses { hosts: Hosts::NobodyFirst, by_name: true }, FIND_PRIMARY, Error::None, unit!(Failover(Failover::DeadHangs));
    // The kernel refuses connections without counting them.
    DEAD_REFUSES = "dead-address-refuses" Path Arranged Alike Open Kept Interrupted Evidence,
        Addresses { hosts: Hosts::NobodyFirst, by_name: true }, FIND_PRIMARY, Error::None, unit!(Failover(Failover::DeadRefuses));
    PROMOTE_IN_PLACE = "promote-in-place" Server Arranged Alike Open Kept Interrupted Evidence,
        Addresses { hosts: Hosts::StandbyAlone, by_name: false }, FIND_PRIMARY, Error::None, unit!(Failover(Failover::PromoteInPlace));
    PROMOTE_BESIDE = "promote-beside-primary" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Addresses { hosts: Hosts::StandbyFirst, by_name: false }, FIND_PRIMARY, Error::None, unit!(Failover(Failover::PromoteBeside));
}

const FIND_PRIMARY: Remedy = Remedy::Advice(
    "discard connections that report 25006, and look for the primary among all addresses \
     (target_session_attrs=read-write), with a short connect_timeout for each",
);

impl Failover {
    /// The row of this change.
    pub fn spec(self) -> &'static FaultSpec {
        match self {
            Failover::Promote => &PROMOTE,
            Failover::Demote => &DEMOTE,
            Failover::WrongNode => &WRONG_NODE,
            Failover::StandbyFirst => &STANDBY_FIRST,
            Failover::DeadHangs => &DEAD_HANGS,
            Failover::DeadRefuses => &DEAD_REFUSES,
            Failover::PromoteInPlace => &PROMOTE_IN_PLACE,
            Failover::PromoteBeside => &PROMOTE_BESIDE,
        }
    }
}
