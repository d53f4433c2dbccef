//! Faults of packets and of DNS, for planes with a packet filter.

use serde::{Deserialize, Serialize};

use super::spec::{ExpectedError as Error, FaultSpec, Remedy, fault_table, unit};
use crate::model::words;

words! {
    /// The ICMP answer of a firewall that rejects a packet.
    ///
    /// *Source*: RFC 792; what each does to a client is in `iptables-extensions(8)`, REJECT.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum IcmpCode {
        /// EHOSTUNREACH: a firewall forbids it.
        AdminProhibited = "admin-prohibited",
        /// EHOSTUNREACH: the host may not be talked to.
        HostProhibited = "host-prohibited",
        /// EHOSTUNREACH: the host is not there.
        HostUnreachable = "host-unreachable",
        /// ENETUNREACH: there is no way to its network.
        NetUnreachable = "net-unreachable",
        /// ECONNREFUSED: nothing listens.
        PortUnreachable = "port-unreachable",
    }
}

/// A fault of the host name by which the client knows its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameFault {
    /// There is no such name: NXDOMAIN until heal.
    Unresolvable,
    /// The name server cannot say: SERVFAIL until heal.
    Failure,
    /// The name server says nothing, until heal.
    Timeout,
    /// The server has moved, and its old address leads nowhere; on heal the name leads to where it is now.
    Stale,
}

fault_table! { NAMES:
    UNRESOLVABLE = "dns-unresolvable" Name Lasting KernelAlone Open Kept Interrupted NoEvidence,
        Name, RESOLVE, Error::None, unit!(Name(NameFault::Unresolvable));
    FAILURE = "dns-failure" Name Lasting KernelAlone Open Kept Interrupted NoEvidence,
        Name, RESOLVE, Error::None, unit!(Name(NameFault::Failure));
    TIMEOUT = "dns-timeout" Name Lasting KernelAlone Open Kept Interrupted NoEvidence,
        Name, RESOLVE, Error::None, unit!(Name(NameFault::Timeout));
    STALE = "dns-stale" Name Lasting KernelAlone Open Kept Interrupted NoEvidence,
        Name, RESOLVE, Error::None, unit!(Name(NameFault::Stale));
}

const RESOLVE: Remedy =
    Remedy::Advice("resolve the host name for every attempt, and cache no answer longer than its TTL");

impl NameFault {
    /// The row of this fault.
    pub fn spec(self) -> &'static FaultSpec {
        match self {
            NameFault::Unresolvable => &UNRESOLVABLE,
            NameFault::Failure => &FAILURE,
            NameFault::Timeout => &TIMEOUT,
            NameFault::Stale => &STALE,
        }
    }
}
