//! A record of each packet and the filter's verdict on it, so that tests can compare two runs.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::packet::Kind;

/// The filter's verdict on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Lost,
    /// Lost by chance: later packets may pass, so that the sender can notice the loss early.
    LostByChance,
    /// Answered by an RST.
    Reset,
    /// Answered by the ICMP message of this errno: the error of a connect, or of an open connection that later times
    /// out.
    Unreachable(i32),
}

/// A packet and its verdict. `at`: time since the network was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TracedPacket {
    pub at: Duration,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub kind: Kind,
    pub verdict: Verdict,
}
