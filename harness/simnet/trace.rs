//! What became of each packet, for whoever wants to compare two runs.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::packet::Kind;

/// What a filter said of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Lost,
    /// Lost by chance, so that others may have got through.
    LostByChance,
    /// Answered by an RST.
    Reset,
    /// Answered by an ICMP message of this errno.
    Unreachable(i32),
}

/// A packet that was decided upon. *Units*: since the network was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traced {
    pub at: Duration,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub kind: Kind,
    pub verdict: Verdict,
}
