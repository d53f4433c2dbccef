//! Faults of packets and of DNS, for planes with a packet filter.

use serde::{Deserialize, Serialize};

use super::spec::{ExpectedError as Error, FaultSpec, Remedy, fault_table, unit};
use crate::model::words;

words! {
    /// The ICMP answer of a firewall that rejects a packet.
    ///
    /// *Source*: RFC 792; the effect of each on a client is in `iptables-extensions(8)`, REJECT.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum IcmpCode {
        /// EHOSTUNREACH: a firewall forbids the connection.
        AdminProhibited = "admin-prohibited",
        /// EHOSTUNREACH: connections to the host are forbidden.
        HostProhibited = "host-prohibited",
        /// EHOSTUNREACH: the host cannot be reached.
        HostUnreachable = "host-unreachable",
        /// ENETUNREACH: there is no route to the host's network.
        NetUnreachable = "net-unreachable",
        /// ECONNREFUSED: no process listens on the port.
        PortUnreachable = "port-unreachable",
    }
}

/// A fault of the host name by which the client knows its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameFault {
    /// The name does not exist: NXDOMAIN until heal.
    Unresolvable,
    /// The name server reports a failure: SERVFAIL until heal.
    Failure,
    /// The name server does not answer, until heal.
    Timeout,
    /// The server has a new address, and the old one leads nowhere; on heal the name resolves to the new one.
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
