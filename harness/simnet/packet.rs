//! TCP packets, their classification, and the RST that the network itself sends.

use std::net::{SocketAddr, SocketAddrV4};

use bytes::BytesMut;

/// The TCP flags that the simulation uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub syn: bool,
    pub ack: bool,
    pub fin: bool,
    pub rst: bool,
}

/// A TCP segment with its source and destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub flags: Flags,
    pub sequence: u32,
    pub acknowledged: u32,
    pub window: u16,
    pub payload: BytesMut,
}

impl Packet {
    /// The length of the packet in sequence numbers: its payload in bytes, and one each for SYN and FIN.
    pub fn length(&self) -> u32 {
        self.payload.len() as u32 + u32::from(self.flags.syn) + u32::from(self.flags.fin)
    }

    /// Updates acknowledgement and window, because a retransmission carries the sender's current ones.
    pub fn update_ack(&mut self, acknowledged: u32, window: u16) {
        if self.flags.ack {
            (self.acknowledged, self.window) = (acknowledged, window);
        }
    }
}

/// The kinds of packets that a filter distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Syn,
    SynAck,
    /// An acknowledgement without payload.
    Ack,
    Data,
    /// The end of a stream, with or without payload.
    Fin,
    Rst,
    /// A keepalive probe or its answer. The filter alone handles these; no [`Packet`] is sent.
    Probe,
}

impl Kind {
    pub(super) fn of(packet: &Packet) -> Kind {
        let flags = packet.flags;
        match () {
            () if flags.rst => Kind::Rst,
            () if flags.syn && flags.ack => Kind::SynAck,
            () if flags.syn => Kind::Syn,
            () if flags.fin => Kind::Fin,
            () if packet.payload.is_empty() => Kind::Ack,
            () => Kind::Data,
        }
    }
}

/// An address as a number: cheaper to compare than `SocketAddrV4`.
pub(super) fn key(address: SocketAddrV4) -> u64 {
    u64::from(address.ip().to_bits()) << 16 | u64::from(address.port())
}

/// An RST with sequence numbers of zero, because the receiving kernel does not check them.
pub(super) fn reset(from: SocketAddrV4, to: SocketAddrV4) -> Packet {
    let flags = Flags { rst: true, ack: true, ..Flags::default() };
    Packet { from, to, flags, sequence: 0, acknowledged: 0, window: 0, payload: BytesMut::new() }
}

/// Converts to IPv4, the only address family of the simulated network.
///
/// *Errors*: `Unsupported` for IPv6.
pub(super) fn v4(address: SocketAddr) -> std::io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(std::io::Error::new(
            std::io::ErrorKind::Unsupported,
            "cannot use an IPv6 address: the simulated network has IPv4 only",
        )),
    }
}
