//! Keepalive probes on the wire: captures packets at the filter's interface towards the client, and detects the
//! probes among them.
//!
//! Reads headers, never payloads.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::forked::check;
use super::{CLIENT, Flow, Kernel, Way};
use crate::gateway::port::SocketSource;

/// Longest headers of IP and TCP together, in bytes; the payload is not read.
const HEADERS: usize = 60 + 60;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;

/// A capture of every packet between client and filter, in both directions, including those that the filter then
/// drops.
pub(crate) struct PacketCapture {
    socket: AsyncFd<Socket>,
    client: Ipv4Addr,
}

impl Kernel {
    /// Starts a capture.
    ///
    /// *Errors*: the kernel refuses the packet socket.
    pub fn capture(&self) -> io::Result<PacketCapture> {
        // Created without a protocol, so that it receives nothing before it is bound to one interface.
        let socket = self.filter.socket(Domain::PACKET, Type::DGRAM, None)?;
        bind(&socket)?;
        socket.set_nonblocking(true)?;
        // SAFETY: the socket owns its descriptor for as long as it lives, and nothing replaces it.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(PacketCapture { socket, client: self.client_address() })
    }
}

/// Binds a packet socket to the filter's interface towards the client, in the namespace of the socket.
fn bind(socket: &Socket) -> io::Result<()> {
    // SAFETY: all zeroes is an empty request and an empty address; both live until the calls return.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(CLIENT.bytes()) {
            *to = from as libc::c_char;
        }
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX as _, &raw mut request))?;
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        // Outgoing packets are delivered only to sockets bound to all protocols.
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = request.ifr_ifru.ifru_ifindex;
        let size = size_of_val(&address) as libc::socklen_t;
        check(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size))
    }
}

impl PacketCapture {
    /// Returns the next TCP segment of the client; cancel safe.
    ///
    /// *Errors*: the socket fails.
    pub async fn next(&self) -> io::Result<Segment> {
        loop {
            let mut ready = self.socket.readable().await?;
            let mut headers = [0; HEADERS];
            match ready.try_io(|socket| socket.get_ref().read(&mut headers)) {
                Ok(Ok(read)) => {
                    if let Some(segment) = Segment::read(&headers[..read], self.client) {
                        return Ok(segment);
                    }
                }
                Ok(Err(error)) => return Err(error),
                Err(_nothing_there) => {}
            }
        }
    }
}

/// The headers of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    flow: Flow,
    way: Way,
    sequence: u32,
    acknowledged: u32,
    payload: u32,
    flags: u8,
}

impl Segment {
    /// Parses the headers of a packet; `None` if it is not a TCP segment of the client.
    ///
    /// *Source*: RFC 791, section 3.1; RFC 9293, section 3.1.
    fn read(packet: &[u8], client: Ipv4Addr) -> Option<Segment> {
        let octets = |at: usize| <[u8; 4]>::try_from(packet.get(at..at + 4)?).ok();
        let pair = |at: usize| Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?));
        let (first, protocol) = (*packet.first()?, *packet.get(9)?);
        // Only the first fragment has a TCP header.
        if first >> 4 != 4 || i32::from(protocol) != libc::IPPROTO_TCP || pair(6)? & 0x1fff != 0 {
            return None;
        }
        let at = usize::from(first & 15) * 4;
        let from = SocketAddrV4::new(octets(12)?.into(), pair(at)?);
        let to = SocketAddrV4::new(octets(16)?.into(), pair(at + 2)?);
        let (flow, way) = match client {
            client if *from.ip() == client => (Flow { client: from, server: to }, Way::Up),
            client if *to.ip() == client => (Flow { client: to, server: from }, Way::Down),
            _ => return None,
        };
        let headers = at + usize::from(packet.get(at + 12)? >> 4) * 4;
        Some(Segment {
            flow,
            way,
            sequence: u32::from_be_bytes(octets(at + 4)?),
            acknowledged: u32::from_be_bytes(octets(at + 8)?),
            payload: u32::from(pair(2)?).checked_sub(headers as u32)?,
            flags: packet.get(at + 13)? & (FIN | SYN | RST),
        })
    }

    /// Returns the sequence number after the segment.
    fn end(&self) -> u32 {
        let length = self.payload + u32::from(self.flags & SYN != 0) + u32::from(self.flags & FIN != 0);
        self.sequence.wrapping_add(length)
    }
}

/// Tells keepalive probes from traffic by the sequence numbers of each connection.
#[derive(Debug, Default)]
pub(crate) struct ProbeDetector {
    flows: HashMap<Flow, FlowState>,
    /// Number of probes by the client, and by the server. The owner may reset them.
    pub probes: [u64; 2],
}

/// State of one connection.
#[derive(Debug)]
struct FlowState {
    /// Next sequence number, per direction.
    next: [Option<u32>; 2],
    /// Last acknowledged number, per direction.
    acknowledged: [Option<u32>; 2],
    /// Time of the last packet that was neither a probe nor the answer to one.
    quiet_since: Instant,
    /// Number of probes since then.
    probes: u64,
}

impl ProbeDetector {
    /// Takes the next segment into account.
    pub fn observe(&mut self, segment: &Segment, at: Instant) {
        if segment.flags & SYN != 0 && segment.way == Way::Up {
            self.flows.remove(&segment.flow);
        }
        let new = || FlowState { next: [None; 2], acknowledged: [None; 2], quiet_since: at, probes: 0 };
        let flow = self.flows.entry(segment.flow).or_insert_with(new);
        let way = usize::from(segment.way == Way::Down);
        let next = &mut flow.next[way];
        // A probe has the sequence number of the last byte sent, without that byte, which forces an acknowledgement.
        let is_empty = segment.payload == 0 && segment.flags == 0;
        if is_empty && next.is_some_and(|next| segment.sequence == next.wrapping_sub(1)) {
            self.probes[way] += 1;
            flow.probes += 1;
            return;
        }
        let end = segment.end();
        // Sequence numbers wrap around: a number less than half their range ahead is newer.
        if next.is_none_or(|next| end.wrapping_sub(next) < 1 << 31) {
            *next = Some(end);
        }
        let news = flow.acknowledged[way].replace(segment.acknowledged) != Some(segment.acknowledged);
        if !is_empty || news {
            flow.quiet_since = at;
            flow.probes = 0;
        }
    }

    /// Whether only probes, at least one, kept a connection from being idle for longer than `idle` until `now`.
    /// Traffic before `since` does not count.
    pub fn is_kept_by_probes(&self, flow: &Flow, idle: Duration, since: Instant, now: Instant) -> bool {
        self.flows
            .get(flow)
            .is_some_and(|flow| flow.probes > 0 && now.saturating_duration_since(flow.quiet_since.max(since)) > idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
    const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 10);

    /// A packet with options in both headers; its payload is only announced by the length.
    fn packet(up: bool, sequence: u32, acknowledged: u32, payload: u16, flags: u8) -> Vec<u8> {
        let (mut from, mut to) = ((CLIENT, 40_000_u16), (SERVER, 5_432_u16));
        if !up {
            std::mem::swap(&mut from, &mut to);
        }
        let mut bytes = vec![0x46, 0];
        bytes.extend((24 + 32 + payload).to_be_bytes());
        bytes.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        bytes.extend(from.0.octets());
        bytes.extend(to.0.octets());
        bytes.extend([1; 4]);
        bytes.extend(from.1.to_be_bytes());
        bytes.extend(to.1.to_be_bytes());
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(acknowledged.to_be_bytes());
        bytes.extend([0x80, flags | 16]);
        bytes.extend([0; 18]);
        bytes
    }

    fn segment(up: bool, sequence: u32, acknowledged: u32, payload: u16, flags: u8) -> Segment {
        Segment::read(&packet(up, sequence, acknowledged, payload, flags), CLIENT).unwrap()
    }

    #[test]
    fn headers_are_read_past_their_options() {
        let found = segment(true, 7, 9, 100, 0);
        assert_eq!((found.sequence, found.acknowledged, found.payload, found.way), (7, 9, 100, Way::Up));
        assert_eq!(found.flow, segment(false, 1, 1, 0, 0).flow);
        assert_eq!(segment(true, u32::MAX, 0, 0, SYN).end(), 0);
        for short in 0..56 {
            // A packet that is cut before its flags is no segment; no length causes a panic.
            let cut = Segment::read(&packet(true, 7, 9, 100, 0)[..short], CLIENT);
            assert!(cut.is_none_or(|_| short > 24 + 13), "{short}");
        }
        assert_eq!(Segment::read(&packet(true, 7, 9, 100, 0), Ipv4Addr::LOCALHOST), None);
    }

    #[test]
    fn only_repeated_sequence_numbers_are_probes() {
        let began = Instant::now();
        let second = |n: u64| began + Duration::from_secs(n);
        let mut detector = ProbeDetector::default();
        // The sequence numbers wrap around in the middle.
        let (client, server) = (u32::MAX - 5, 50_u32);
        detector.observe(&segment(true, client, 0, 0, SYN), second(0));
        detector.observe(&segment(false, server, client.wrapping_add(1), 0, SYN), second(0));
        let (client, server) = (client.wrapping_add(1), server + 1);
        detector.observe(&segment(true, client, server, 0, 0), second(0));
        detector.observe(&segment(true, client, server, 10, 0), second(1));
        let client = client.wrapping_add(10);
        detector.observe(&segment(false, server, client, 20, 0), second(1));
        // A late and a repeated acknowledgement are no probes.
        detector.observe(&segment(true, client, server + 20, 0, 0), second(1));
        detector.observe(&segment(true, client, server + 20, 0, 0), second(1));
        assert_eq!(detector.probes, [0, 0]);
        let flow = segment(true, 0, 0, 0, 0).flow;
        let kept =
            |detector: &ProbeDetector, now| detector.is_kept_by_probes(&flow, Duration::from_secs(3), began, now);
        for n in [3, 4] {
            detector.observe(&segment(true, client.wrapping_sub(1), server + 20, 0, 0), second(n));
            detector.observe(&segment(false, server + 20, client, 0, 0), second(n));
        }
        detector.observe(&segment(false, server + 19, client, 0, 0), second(4));
        assert_eq!(detector.probes, [2, 1]);
        assert!(!kept(&detector, second(4)) && kept(&detector, second(5)));
        assert!(!detector.is_kept_by_probes(&flow, Duration::from_secs(3), second(3), second(5)));
        // Any traffic ends the quiet time.
        detector.observe(&segment(true, client, server + 20, 1, 0), second(5));
        assert!(!kept(&detector, second(9)));
    }
}
