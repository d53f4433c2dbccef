//! One side of a TCP connection in its kernel: state, sequence numbers, and buffers.
//!
//! *Source*: RFC 9293, without timers and retransmission, which the network adds.

use std::io::{self, ErrorKind};
use std::net::SocketAddrV4;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use super::super::loopback::{register_waker, wake};
use super::super::packet::{Flags, Packet};
use super::super::state::BUFFER;

/// Maximum segment size: Ethernet's MTU less the headers of IP and TCP. *Units*: bytes.
const MSS: usize = 1500 - 20 - 20;

/// The largest window without window scaling.
const MAX_WINDOW: u16 = u16::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    Closed,
}

/// The kernel's action when an application closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// The connection is removed.
    Forgotten,
    /// Data are unread: an RST is sent, and the connection is removed.
    Reset,
    /// The connection remains until its FIN is acknowledged and the peer's FIN has arrived.
    Lingers,
}

/// One side of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// The connection's number: unique in its kernel, and higher for later connections.
    pub number: u64,
    pub own: SocketAddrV4,
    pub peer: SocketAddrV4,
    state: State,
    /// SND.NXT, SND.UNA and SND.WND of RFC 9293.
    next: u32,
    unacknowledged: u32,
    window: u16,
    /// RCV.NXT of RFC 9293.
    expected: u32,
    unsent: BytesMut,
    received: BytesMut,
    /// The sequence number of this side's FIN, once the stream has been shut down.
    fin: Option<u32>,
    has_received_fin: bool,
    is_reset: bool,
    /// Whether the application has closed the connection.
    is_closed_by_app: bool,
    /// The tasks that wait for the handshake, and for room to write.
    connecting: Option<Waker>,
    writer: Option<Waker>,
}

impl Connection {
    fn new(number: u64, (own, peer): (SocketAddrV4, SocketAddrV4), state: State, first: u32) -> Connection {
        let next = first.wrapping_add(1);
        Connection {
            number,
            own,
            peer,
            state,
            next,
            unacknowledged: next,
            window: MAX_WINDOW,
            expected: 0,
            unsent: BytesMut::new(),
            received: BytesMut::new(),
            fin: None,
            has_received_fin: false,
            is_reset: false,
            is_closed_by_app: false,
            connecting: None,
            writer: None,
        }
    }

    /// Opens a connection actively; returns it with its SYN. `first`: the initial sequence number.
    pub fn open_actively(number: u64, addresses: (SocketAddrV4, SocketAddrV4), first: u32) -> (Connection, Packet) {
        let connection = Connection::new(number, addresses, State::SynSent, first);
        let flags = Flags { syn: true, ..Flags::default() };
        let syn = Packet { sequence: first, acknowledged: 0, window: MAX_WINDOW, ..connection.empty_packet(flags) };
        (connection, syn)
    }

    /// Opens a connection passively, for a received SYN; returns it with its SYN-ACK.
    pub fn open_passively(number: u64, syn: &Packet, first: u32) -> (Connection, Packet) {
        let mut connection = Connection::new(number, (syn.to, syn.from), State::SynReceived, first);
        (connection.window, connection.expected) = (syn.window, syn.sequence.wrapping_add(1));
        let flags = Flags { syn: true, ack: true, ..Flags::default() };
        let answer = Packet { sequence: first, window: MAX_WINDOW, ..connection.empty_packet(flags) };
        (connection, answer)
    }

    /// A packet without payload, with the current sequence numbers and window.
    fn empty_packet(&self, flags: Flags) -> Packet {
        Packet {
            from: self.own,
            to: self.peer,
            flags,
            sequence: self.next,
            acknowledged: self.expected,
            window: BUFFER.saturating_sub(self.received.len()).min(MAX_WINDOW.into()) as u16,
            payload: BytesMut::new(),
        }
    }

    fn acknowledge(&self) -> Packet {
        self.empty_packet(Flags { ack: true, ..Flags::default() })
    }

    pub fn reset(&self) -> Packet {
        Packet { window: 0, ..self.empty_packet(Flags { rst: true, ack: true, ..Flags::default() }) }
    }

    /// Whether the peer's SYN has arrived and the handshake is not complete.
    pub fn is_syn_received(&self) -> bool {
        self.state == State::SynReceived
    }

    pub fn is_open(&self) -> bool {
        self.state == State::Established
    }

    /// Whether the connection can be removed.
    pub fn is_over(&self) -> bool {
        self.is_closed_by_app && (self.state == State::Closed || self.is_reset)
    }

    /// Whether there are data or a FIN to send, window permitting.
    pub fn has_to_send(&self) -> bool {
        use State::{CloseWait, Closing, Established, FinWait1, LastAck};
        matches!(self.state, Established | CloseWait | FinWait1 | Closing | LastAck)
            && (!self.unsent.is_empty() || self.fin == Some(self.next))
    }

    /// Receives a packet; returns the reply, if there is one.
    pub fn receive(&mut self, packet: Packet) -> Option<Packet> {
        let Flags { syn, ack, rst, .. } = packet.flags;
        if rst {
            self.be_reset();
            return None;
        }
        match self.state {
            State::SynSent if syn && ack => {
                (self.state, self.expected, self.window) =
                    (State::Established, packet.sequence.wrapping_add(1), packet.window);
                wake(&mut self.connecting);
                Some(self.acknowledge())
            }
            State::SynReceived if ack && !syn && packet.acknowledged == self.next => {
                (self.state, self.window) = (State::Established, packet.window);
                None
            }
            State::SynSent | State::SynReceived | State::Closed => None,
            _ => self.receive_in_order(packet),
        }
    }

    fn receive_in_order(&mut self, packet: Packet) -> Option<Packet> {
        if packet.flags.ack {
            self.process_ack(packet.acknowledged);
            self.window = packet.window;
        }
        let mut has_advanced = false;
        let end = packet.sequence.wrapping_add(packet.payload.len() as u32);
        if !packet.payload.is_empty() && packet.sequence == self.expected && !self.has_received_fin {
            let mut payload = packet.payload;
            payload.truncate(BUFFER.saturating_sub(self.received.len()));
            self.expected = self.expected.wrapping_add(payload.len() as u32);
            has_advanced = !payload.is_empty();
            match self.received.is_empty() {
                true => self.received = payload,
                false => self.received.extend_from_slice(&payload),
            }
        }
        if packet.flags.fin && !self.has_received_fin && end == self.expected {
            (self.has_received_fin, has_advanced) = (true, true);
            self.expected = self.expected.wrapping_add(1);
            self.state = match self.state {
                State::Established => State::CloseWait,
                State::FinWait1 => State::Closing,
                State::FinWait2 => State::Closed,
                other => other,
            };
        }
        if packet.flags.ack {
            wake(&mut self.writer);
        }
        has_advanced.then(|| self.acknowledge())
    }

    /// Processes an acknowledgement of all bytes before `acknowledged`.
    fn process_ack(&mut self, acknowledged: u32) {
        let advanced = acknowledged.wrapping_sub(self.unacknowledged);
        if advanced == 0 || advanced > self.next.wrapping_sub(self.unacknowledged) {
            return;
        }
        self.unacknowledged = acknowledged;
        if self.fin.is_some_and(|fin| acknowledged == fin.wrapping_add(1)) {
            self.state = match self.state {
                State::FinWait1 => State::FinWait2,
                State::Closing | State::LastAck => State::Closed,
                other => other,
            };
        }
    }

    fn be_reset(&mut self) {
        (self.state, self.is_reset) = (State::Closed, true);
        self.unsent.clear();
        self.received.clear();
        wake(&mut self.connecting);
        wake(&mut self.writer);
    }

    /// Sends as much as the window permits.
    pub fn send(&mut self, into: &mut Vec<Packet>) {
        loop {
            let in_flight = self.next.wrapping_sub(self.unacknowledged) as usize;
            let room = usize::from(self.window).saturating_sub(in_flight);
            if room == 0 {
                return;
            }
            let length = self.unsent.len().min(MSS).min(room);
            let packet = if length > 0 {
                let payload = match length == self.unsent.len() {
                    true => std::mem::take(&mut self.unsent),
                    false => self.unsent.split_to(length),
                };
                Packet { payload, ..self.acknowledge() }
            } else if self.fin == Some(self.next) {
                self.empty_packet(Flags { ack: true, fin: true, ..Flags::default() })
            } else {
                return;
            };
            self.next = self.next.wrapping_add(packet.length());
            into.push(packet);
        }
    }

    pub fn poll_connected(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        match self.state {
            State::Established => Poll::Ready(Ok(())),
            State::SynSent | State::SynReceived => {
                register_waker(&mut self.connecting, cx);
                Poll::Pending
            }
            _ => Poll::Ready(Err(ErrorKind::ConnectionRefused.into())),
        }
    }

    /// Checks that the connection was not reset.
    ///
    /// *Errors*: `ConnectionReset`.
    fn check(&self) -> io::Result<()> {
        if self.is_reset { Err(ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    pub fn poll_write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        if self.fin.is_some() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if !matches!(self.state, State::Established | State::CloseWait) {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        }
        let in_flight = self.next.wrapping_sub(self.unacknowledged) as usize;
        let room = BUFFER.saturating_sub(in_flight + self.unsent.len());
        if room == 0 {
            register_waker(&mut self.writer, cx);
            return Poll::Pending;
        }
        let written = bytes.len().min(room);
        self.unsent.extend_from_slice(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    /// Ends the stream: FIN follows the data written so far.
    ///
    /// *Errors*: `ConnectionReset`.
    pub fn shut_down(&mut self) -> io::Result<()> {
        self.check()?;
        if self.fin.is_none() {
            self.fin = Some(self.next.wrapping_add(self.unsent.len() as u32));
            self.state = match self.state {
                State::Established => State::FinWait1,
                State::CloseWait => State::LastAck,
                other => other,
            };
        }
        Ok(())
    }

    /// Whether there are unread data.
    pub fn has_unread(&self) -> bool {
        !self.received.is_empty()
    }

    /// Reads at most `most` bytes; returns the number read, and a window update if the read frees half of the buffer.
    /// Returns `Pending` without registering a waker if there are no data.
    pub fn read(&mut self, into: &mut ReadBuf<'_>, most: usize) -> Poll<io::Result<(usize, Option<Packet>)>> {
        self.check()?;
        if self.received.is_empty() {
            use State::{CloseWait, Established, FinWait1, FinWait2};
            return match self.state {
                _ if self.has_received_fin => Poll::Ready(Ok((0, None))),
                Established | FinWait1 | FinWait2 | CloseWait => Poll::Pending,
                _ => Poll::Ready(Err(ErrorKind::NotConnected.into())),
            };
        }
        let length = self.received.len().min(most);
        into.put_slice(&self.received[..length]);
        self.received.advance(length);
        Poll::Ready(Ok((length, self.window_update(length))))
    }

    /// Takes all unread data, with the window update of a single read.
    pub fn drain(&mut self) -> (BytesMut, Option<Packet>) {
        let drained = std::mem::take(&mut self.received);
        let window_update = self.window_update(drained.len());
        (drained, window_update)
    }

    fn window_update(&self, read: usize) -> Option<Packet> {
        (read >= BUFFER / 2).then(|| self.acknowledge())
    }

    /// Closes the connection for the application; returns the kernel's next action.
    pub fn close(&mut self) -> Closing {
        if self.is_reset || matches!(self.state, State::Closed | State::SynSent | State::SynReceived) {
            return Closing::Forgotten;
        }
        if self.has_unread() {
            return Closing::Reset;
        }
        self.is_closed_by_app = true;
        // Cannot fail: the connection was not reset.
        let _ = self.shut_down();
        Closing::Lingers
    }
}
