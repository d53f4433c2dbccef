//! One side of a TCP connection, as its kernel has it: its state, its sequence, and what was written and received.
//!
//! *Source*: RFC 9293, of which there is what a network needs that has a clock of its own, and sends again by itself.

use std::io::{self, ErrorKind};
use std::net::SocketAddrV4;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use super::super::loopback::{park, wake};
use super::super::packet::{Flags, Packet};
use super::super::world::BUFFER;

/// Longest payload of one packet: that of Ethernet, less the headers.
const LONGEST: usize = 1500 - 20 - 20;

/// The widest window that a header can say.
const WIDEST: u16 = u16::MAX;

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

/// What becomes of a connection that its application closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// Nothing is left of it.
    Forgotten,
    /// Bytes were left unread, which an RST says.
    Reset,
    /// The kernel still has its end to send, and to hear.
    Lingers,
}

/// One side of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Its number; later ones have higher ones.
    pub number: u64,
    pub own: SocketAddrV4,
    pub peer: SocketAddrV4,
    state: State,
    /// What comes after the last byte that was sent, the first that is not acknowledged, and how much may be between.
    next: u32,
    unacknowledged: u32,
    window: u16,
    /// What comes after the last byte that was received.
    expected: u32,
    unsent: BytesMut,
    received: BytesMut,
    /// Where its stream ends, once it was said that it does.
    fin: Option<u32>,
    has_heard_fin: bool,
    is_reset: bool,
    /// Its application has closed it.
    is_abandoned: bool,
    /// Who waits for the handshake, and for room to write.
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
            window: WIDEST,
            expected: 0,
            unsent: BytesMut::new(),
            received: BytesMut::new(),
            fin: None,
            has_heard_fin: false,
            is_reset: false,
            is_abandoned: false,
            connecting: None,
            writer: None,
        }
    }

    /// Calls; returns its SYN, too. `first`: where its sequence begins.
    pub fn call(number: u64, way: (SocketAddrV4, SocketAddrV4), first: u32) -> (Connection, Packet) {
        let connection = Connection::new(number, way, State::SynSent, first);
        let flags = Flags { syn: true, ..Flags::default() };
        let syn = Packet { sequence: first, acknowledged: 0, window: WIDEST, ..connection.say(flags) };
        (connection, syn)
    }

    /// Is called by this SYN; returns the answer to it, too.
    pub fn answer(number: u64, syn: &Packet, first: u32) -> (Connection, Packet) {
        let mut connection = Connection::new(number, (syn.to, syn.from), State::SynReceived, first);
        (connection.window, connection.expected) = (syn.window, syn.sequence.wrapping_add(1));
        let flags = Flags { syn: true, ack: true, ..Flags::default() };
        let answer = Packet { sequence: first, window: WIDEST, ..connection.say(flags) };
        (connection, answer)
    }

    /// A packet without bytes, that says where it has got to.
    fn say(&self, flags: Flags) -> Packet {
        Packet {
            from: self.own,
            to: self.peer,
            flags,
            sequence: self.next,
            acknowledged: self.expected,
            window: BUFFER.saturating_sub(self.received.len()).min(WIDEST.into()) as u16,
            payload: BytesMut::new(),
        }
    }

    fn acknowledge(&self) -> Packet {
        self.say(Flags { ack: true, ..Flags::default() })
    }

    pub fn reset(&self) -> Packet {
        Packet { window: 0, ..self.say(Flags { rst: true, ack: true, ..Flags::default() }) }
    }

    /// Whether it has been called, and nothing has come of that yet.
    pub fn is_called(&self) -> bool {
        self.state == State::SynReceived
    }

    pub fn is_open(&self) -> bool {
        self.state == State::Established
    }

    /// Whether nobody needs it any more.
    pub fn is_over(&self) -> bool {
        self.is_abandoned && (self.state == State::Closed || self.is_reset)
    }

    /// Whether it has anything to send, were there room for it.
    pub fn has_to_send(&self) -> bool {
        use State::{CloseWait, Closing, Established, FinWait1, LastAck};
        matches!(self.state, Established | CloseWait | FinWait1 | Closing | LastAck)
            && (!self.unsent.is_empty() || self.fin == Some(self.next))
    }

    /// Takes a packet; returns the answer to it, where it has one.
    pub fn take(&mut self, packet: Packet) -> Option<Packet> {
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
            _ => self.take_in_order(packet),
        }
    }

    fn take_in_order(&mut self, packet: Packet) -> Option<Packet> {
        if packet.flags.ack {
            self.hear(packet.acknowledged);
            self.window = packet.window;
        }
        let mut is_news = false;
        let end = packet.sequence.wrapping_add(packet.payload.len() as u32);
        if !packet.payload.is_empty() && packet.sequence == self.expected && !self.has_heard_fin {
            let mut payload = packet.payload;
            payload.truncate(BUFFER.saturating_sub(self.received.len()));
            self.expected = self.expected.wrapping_add(payload.len() as u32);
            is_news = !payload.is_empty();
            match self.received.is_empty() {
                true => self.received = payload,
                false => self.received.extend_from_slice(&payload),
            }
        }
        if packet.flags.fin && !self.has_heard_fin && end == self.expected {
            (self.has_heard_fin, is_news) = (true, true);
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
        is_news.then(|| self.acknowledge())
    }

    /// All before this has been received.
    fn hear(&mut self, acknowledged: u32) {
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

    /// Sends what there is room for.
    pub fn send(&mut self, into: &mut Vec<Packet>) {
        loop {
            let in_flight = self.next.wrapping_sub(self.unacknowledged) as usize;
            let room = usize::from(self.window).saturating_sub(in_flight);
            if room == 0 {
                return;
            }
            let length = self.unsent.len().min(LONGEST).min(room);
            let packet = if length > 0 {
                let payload = match length == self.unsent.len() {
                    true => std::mem::take(&mut self.unsent),
                    false => self.unsent.split_to(length),
                };
                Packet { payload, ..self.acknowledge() }
            } else if self.fin == Some(self.next) {
                self.say(Flags { ack: true, fin: true, ..Flags::default() })
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
                park(&mut self.connecting, cx);
                Poll::Pending
            }
            _ => Poll::Ready(Err(ErrorKind::ConnectionRefused.into())),
        }
    }

    /// Whether it can still be used.
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
            park(&mut self.writer, cx);
            return Poll::Pending;
        }
        let written = bytes.len().min(room);
        self.unsent.extend_from_slice(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    /// Says that nothing more will be written.
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

    /// Whether there are bytes that nobody has read.
    pub fn has_unread(&self) -> bool {
        !self.received.is_empty()
    }

    /// Reads what has come, at most so much; says how much that was, and what tells the other side that there is much more
    /// room now. Nobody is woken where nothing has come.
    pub fn read(&mut self, into: &mut ReadBuf<'_>, most: usize) -> Poll<io::Result<(usize, Option<Packet>)>> {
        self.check()?;
        if self.received.is_empty() {
            use State::{CloseWait, Established, FinWait1, FinWait2};
            return match self.state {
                _ if self.has_heard_fin => Poll::Ready(Ok((0, None))),
                Established | FinWait1 | FinWait2 | CloseWait => Poll::Pending,
                _ => Poll::Ready(Err(ErrorKind::NotConnected.into())),
            };
        }
        let length = self.received.len().min(most);
        into.put_slice(&self.received[..length]);
        self.received.advance(length);
        Poll::Ready(Ok((length, self.widened(length))))
    }

    /// Takes out all that has come, as one read does.
    pub fn drain(&mut self) -> (BytesMut, Option<Packet>) {
        let drained = std::mem::take(&mut self.received);
        let widened = self.widened(drained.len());
        (drained, widened)
    }

    fn widened(&self, read: usize) -> Option<Packet> {
        (read >= BUFFER / 2).then(|| self.acknowledge())
    }

    /// Its application closes it.
    pub fn close(&mut self) -> Closing {
        if self.is_reset || matches!(self.state, State::Closed | State::SynSent | State::SynReceived) {
            return Closing::Forgotten;
        }
        if self.has_unread() {
            return Closing::Reset;
        }
        self.is_abandoned = true;
        // It was not reset.
        let _ = self.shut_down();
        Closing::Lingers
    }
}
