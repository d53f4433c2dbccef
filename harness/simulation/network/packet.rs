//! What a packet is, and the few that the network makes itself.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use bytes::Bytes;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

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
    pub fn of(segment: &TcpSegment) -> Kind {
        let flags = segment.flags;
        match () {
            () if flags.rst => Kind::Rst,
            () if flags.syn && flags.ack => Kind::SynAck,
            () if flags.syn => Kind::Syn,
            () if flags.fin => Kind::Fin,
            () if segment.payload.is_empty() => Kind::Ack,
            () => Kind::Data,
        }
    }
}

/// The TCP segment of a packet; there are no others here.
pub(super) fn segment(packet: &Packet) -> Option<&TcpSegment> {
    match &packet.payload {
        Transport::Tcp(segment) => Some(segment),
        Transport::Udp(_) => None,
    }
}

/// How far a segment moves its sender's sequence.
pub(super) fn length(segment: &TcpSegment) -> u32 {
    segment.payload.len() as u32 + u32::from(segment.flags.syn) + u32::from(segment.flags.fin)
}

/// Whence, and whither.
pub(super) fn way(packet: &Packet, segment: &TcpSegment) -> Option<(SocketAddrV4, SocketAddrV4)> {
    match (packet.src, packet.dst) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            Some((SocketAddrV4::new(from, segment.src_port), SocketAddrV4::new(to, segment.dst_port)))
        }
        _ => None,
    }
}

/// An RST. Its numbers are of no matter to whom it reaches.
pub(super) fn reset(from: SocketAddrV4, to: SocketAddrV4) -> Packet {
    let flags = TcpFlags { rst: true, ack: true, ..TcpFlags::default() };
    let (src_port, dst_port, payload) = (from.port(), to.port(), Bytes::new());
    let segment = TcpSegment { src_port, dst_port, seq: 0, ack: 0, flags, window: 0, payload };
    Packet { src: (*from.ip()).into(), dst: (*to.ip()).into(), ttl: 64, payload: Transport::Tcp(segment) }
}

/// A packet that is sent again says what its sender knows by now, and not what it knew then.
pub(super) fn refresh(packet: &mut Packet, ack: u32, window: u16) {
    if let Transport::Tcp(segment) = &mut packet.payload
        && segment.flags.ack
    {
        (segment.ack, segment.window) = (ack, window);
    }
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
