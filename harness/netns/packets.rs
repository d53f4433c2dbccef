//! What can be said of packets between client and gateway, for a packet filter to do. Plain data, on every system.

use std::net::IpAddr;

/// How a filter marks connections: with a bit of its own, so that marks of several do not meet.
pub(crate) struct Mark {
    /// A verdict that marks a connection.
    pub set: &'static str,
    /// What matches connections without the mark.
    pub absent: &'static str,
}

/// The mark of the filter that it stands in.
pub(crate) const MARK: Mark = Mark { set: "ct mark set ct mark or %mark", absent: "ct mark and %mark == 0" };

/// A second one, for a filter that tells its connections apart in two ways.
pub(crate) const SECOND_MARK: Mark = Mark { set: "ct mark set ct mark or %second", absent: "ct mark and %second == 0" };

/// One way of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the gateway.
    Up,
    /// From the gateway to the client.
    Down,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PacketRule {
    pub way: Way,
    /// Which packets of that way, in nft's words; empty: all.
    pub matches: String,
    /// What they are counted as, in the words of evidence; `None`: they are not.
    pub counted: Option<&'static str>,
    /// What becomes of them, in nft's words; empty: they go on to the next rule.
    pub verdict: &'static str,
}

impl PacketRule {
    /// The same for the packets of one of the client's servers alone.
    pub fn for_server(&self, server: IpAddr) -> PacketRule {
        let end = match self.way {
            Way::Up => "daddr",
            Way::Down => "saddr",
        };
        PacketRule { matches: format!("ip {end} {server} {}", self.matches), ..self.clone() }
    }
}
