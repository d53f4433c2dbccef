//! Vocabulary of packet rules: which packets between client and gateway match, and what happens to them. Plain data,
//! also on systems without a kernel plane.

use std::net::IpAddr;

/// A connection mark: one bit that belongs to one filter, so that marks of different filters do not collide.
pub(crate) struct Mark {
    /// Verdict that sets the mark.
    pub set: &'static str,
    /// Match for connections that do not have the mark.
    pub absent: &'static str,
}

/// The first mark of a filter.
pub(crate) const MARK: Mark = Mark { set: "ct mark set ct mark or %mark", absent: "ct mark and %mark == 0" };

/// A second mark, for a filter that distinguishes its connections in two ways.
pub(crate) const SECOND_MARK: Mark = Mark { set: "ct mark set ct mark or %second", absent: "ct mark and %second == 0" };

/// A direction of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the gateway.
    Up,
    /// From the gateway to the client.
    Down,
}

/// A rule of a packet filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PacketRule {
    pub way: Way,
    /// The match, in nft's syntax; empty: every packet in that direction.
    pub matches: String,
    /// Name of the counter of matching packets, as in the evidence; `None`: not counted.
    pub counted: Option<&'static str>,
    /// The verdict, in nft's syntax; empty: the packet continues to the next rule.
    pub verdict: &'static str,
}

impl PacketRule {
    /// Returns this rule, restricted to packets to or from one of the client's servers.
    pub fn for_server(&self, server: IpAddr) -> PacketRule {
        let end = match self.way {
            Way::Up => "daddr",
            Way::Down => "saddr",
        };
        PacketRule { matches: format!("ip {end} {server} {}", self.matches), ..self.clone() }
    }
}
