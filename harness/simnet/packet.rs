//! What a packet is, and the few that the network makes itself.

use std::net::{SocketAddr, SocketAddrV4};

use bytes::BytesMut;

/// What a packet says beside its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub syn: bool,
    pub ack: bool,
    pub fin: bool,
    pub rst: bool,
}

/// A TCP segment, and whence and whither it goes.
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
    /// How far it moves its sender's sequence.
    pub fn length(&self) -> u32 {
        self.payload.len() as u32 + u32::from(self.flags.syn) + u32::from(self.flags.fin)
    }

    /// When it is sent again, it says what its sender knows by now, and not what it knew then.
    pub fn refresh(&mut self, acknowledged: u32, window: u16) {
        if self.flags.ack {
            (self.acknowledged, self.window) = (acknowledged, window);
        }
    }
}

/// What a filter tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Syn,
    SynAck,
    /// Nothing but an acknowledgement.
    Ack,
    Data,
    /// The end of a stream, with or without bytes before it.
    Fin,
    Rst,
    /// Keepalive's question.
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

/// An address as a number, which is quicker to look for.
pub(super) fn key(address: SocketAddrV4) -> u64 {
    u64::from(address.ip().to_bits()) << 16 | u64::from(address.port())
}

/// An RST. Its numbers are of no matter to whom it reaches.
pub(super) fn reset(from: SocketAddrV4, to: SocketAddrV4) -> Packet {
    let flags = Flags { rst: true, ack: true, ..Flags::default() };
    Packet { from, to, flags, sequence: 0, acknowledged: 0, window: 0, payload: BytesMut::new() }
}

/// The network has no other addresses.
pub(super) fn v4(address: SocketAddr) -> std::io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => {
            Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "the simulated network has IPv4 addresses only"))
        }
    }
}
