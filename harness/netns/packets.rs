//! Vocabulary of packet rules: which packets between client and gateway match, and what happens to them. Plain data, on
//! every system.

use std::net::IpAddr;

/// Connection marks of a filter: one bit of its own, so that marks of several filters do not collide.
pub(crate) struct Mark {
    /// Verdict that marks a connection.
    pub set: &'static str,
    /// Match for connections without the mark.
    pub absent: &'static str,
}

/// The first mark of the filter that uses it.
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
    /// The match, in nft's syntax; empty: all packets of that direction.
    pub matches: String,
    /// Name of their counter, in the words of evidence; `None`: not counted.
    pub counted: Option<&'static str>,
    /// The verdict, in nft's syntax; empty: they continue to the next rule.
    pub verdict: &'static str,
}

impl PacketRule {
    /// This rule restricted to the packets of one of the client's servers.
    pub fn for_server(&self, server: IpAddr) -> PacketRule {
        let end = match self.way {
            Way::Up => "daddr",
            Way::Down => "saddr",
        };
        PacketRule { matches: format!("ip {end} {server} {}", self.matches), ..self.clone() }
    }
}
