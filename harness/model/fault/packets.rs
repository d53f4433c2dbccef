//! What can be done to packets, and to the names of hosts, where there is a network to do it in.

use serde::{Deserialize, Serialize};

/// What a firewall says of a packet that it does not let through.
///
/// *Source*: RFC 792; what each does to a client is in `iptables-extensions(8)`, REJECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IcmpCode {
    /// EHOSTUNREACH: a firewall forbids it.
    AdminProhibited,
    /// EHOSTUNREACH: the host may not be talked to.
    HostProhibited,
    /// EHOSTUNREACH: the host is not there.
    HostUnreachable,
    /// ENETUNREACH: there is no way to its network.
    NetUnreachable,
    /// ECONNREFUSED: nobody listens.
    PortUnreachable,
}

impl IcmpCode {
    /// Every code, by the word used in scenario files, which is also nft's.
    pub const ALL: [(&str, IcmpCode); 5] = [
        ("admin-prohibited", IcmpCode::AdminProhibited),
        ("host-prohibited", IcmpCode::HostProhibited),
        ("host-unreachable", IcmpCode::HostUnreachable),
        ("net-unreachable", IcmpCode::NetUnreachable),
        ("port-unreachable", IcmpCode::PortUnreachable),
    ];

    /// nft's own word.
    pub fn word(self) -> &'static str {
        IcmpCode::ALL.iter().find(|(_, code)| *code == self).map_or("?", |(word, _)| word)
    }
}

/// What becomes of the name by which the client knows its server.
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

impl NameFault {
    /// Every kind, by the word used in scenario files.
    pub const ALL: [(&str, NameFault); 4] = [
        ("dns-unresolvable", NameFault::Unresolvable),
        ("dns-failure", NameFault::Failure),
        ("dns-timeout", NameFault::Timeout),
        ("dns-stale", NameFault::Stale),
    ];
}
