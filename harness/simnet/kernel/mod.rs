//! The TCP of one machine: its ports and connections, what they have to send, and what becomes of what arrives.
//!
//! It has no clock, loses nothing and sends nothing again: all that is the network's. It does what turmoil-net's kernel does,
//! to the last number, which a test compares; that one looks at each of its sockets whenever it is asked for packets, and
//! this one at those that have something to send.

mod connection;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::ReadBuf;

use self::connection::{Closing, Connection};
use super::packet::{Flags, Packet, key};

/// The ports that callers get.
const FIRST_PORT: u16 = 49_152;

/// How many may wait behind a listener.
const BACKLOG: usize = 1024;

/// Where the first sequence begins, and how far the next is from it.
const FIRST_SEQUENCE: u32 = 0x0100_0000;
const SEQUENCES_APART: u32 = 0x1_0000;

/// Where a connection is found.
pub(super) type Place = usize;

/// Somebody who listens.
#[derive(Debug, Default)]
struct Door {
    queue: VecDeque<Place>,
    waiting: Vec<Waker>,
}

/// The kernel of one machine.
#[derive(Debug)]
pub(super) struct Kernel {
    addresses: Vec<Ipv4Addr>,
    connections: Vec<Option<Connection>>,
    free: Vec<Place>,
    /// By its own address, and the other side's.
    by_way: BTreeMap<[u64; 2], Place>,
    doors: BTreeMap<SocketAddrV4, Door>,
    /// What was said already.
    outbound: Vec<Packet>,
    /// The connections that have something to send, and those that nobody needs any more, with their numbers.
    eager: Vec<(u64, Place)>,
    over: Vec<(u64, Place)>,
    port: u16,
    sequence: u32,
    newest: u64,
}

impl Kernel {
    pub fn new(addresses: &[Ipv4Addr]) -> Kernel {
        Kernel {
            addresses: addresses.to_vec(),
            connections: Vec::new(),
            free: Vec::new(),
            by_way: BTreeMap::new(),
            doors: BTreeMap::new(),
            outbound: Vec::new(),
            eager: Vec::new(),
            over: Vec::new(),
            port: FIRST_PORT,
            sequence: FIRST_SEQUENCE,
            newest: 0,
        }
    }

    /// Whether an address is this machine's.
    pub fn has(&self, address: Ipv4Addr) -> bool {
        address.is_loopback() || self.addresses.contains(&address)
    }

    fn at(&mut self, place: Place) -> io::Result<&mut Connection> {
        let connection = self.connections.get_mut(place).and_then(Option::as_mut);
        connection.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// The next connection's number, and where its sequence begins.
    fn begin(&mut self) -> (u64, u32) {
        let first = self.sequence;
        self.sequence = first.wrapping_add(SEQUENCES_APART);
        self.newest += 1;
        (self.newest, first)
    }

    fn keep(&mut self, connection: Connection) -> Place {
        let way = [connection.own, connection.peer].map(key);
        let place = self.free.pop().unwrap_or(self.connections.len());
        match self.connections.get_mut(place) {
            Some(free) => *free = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        self.by_way.insert(way, place);
        place
    }

    fn forget(&mut self, place: Place) {
        let Some(connection) = self.connections.get_mut(place).and_then(Option::take) else { return };
        self.free.push(place);
        let way = [connection.own, connection.peer].map(key);
        // A newer one between the same addresses is found from then on.
        if self.by_way.get(&way) == Some(&place) {
            self.by_way.remove(&way);
        }
    }

    /// A port that nobody has.
    fn free_port(&mut self) -> io::Result<u16> {
        let begun = self.port;
        loop {
            let port = self.port;
            self.port = port.checked_add(1).unwrap_or(FIRST_PORT);
            let mut taken = self.connections.iter().flatten().map(|connection| connection.own.port());
            if !taken.any(|taken| taken == port) && !self.doors.keys().any(|door| door.port() == port) {
                return Ok(port);
            }
            if self.port == begun {
                return Err(ErrorKind::AddrInUse.into());
            }
        }
    }

    /// Listens; returns where.
    pub fn listen(&mut self, at: SocketAddrV4) -> io::Result<SocketAddrV4> {
        if !self.has(*at.ip()) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let at = match at.port() {
            0 => SocketAddrV4::new(*at.ip(), self.free_port()?),
            _ => at,
        };
        if self.doors.contains_key(&at) || self.connections.iter().flatten().any(|connection| connection.own == at) {
            return Err(ErrorKind::AddrInUse.into());
        }
        self.doors.insert(at, Door::default());
        Ok(at)
    }

    /// The next who has come in.
    pub fn poll_accept(&mut self, at: SocketAddrV4, cx: &Context<'_>) -> Poll<io::Result<(Place, SocketAddrV4)>> {
        let Some(door) = self.doors.get_mut(&at) else { return Poll::Ready(Err(ErrorKind::NotFound.into())) };
        match door.queue.pop_front() {
            Some(place) => Poll::Ready(self.at(place).map(|connection| (place, connection.peer))),
            None => {
                if !door.waiting.iter().any(|known| known.will_wake(cx.waker())) {
                    door.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// Begins to connect.
    pub fn connect(&mut self, to: SocketAddrV4) -> io::Result<Place> {
        let own = match to.ip().is_loopback() {
            true => Some(Ipv4Addr::LOCALHOST),
            false => self.addresses.first().copied(),
        };
        let own = SocketAddrV4::new(own.ok_or(ErrorKind::AddrNotAvailable)?, self.free_port()?);
        let (number, first) = self.begin();
        let (connection, syn) = Connection::call(number, (own, to), first);
        self.outbound.push(syn);
        Ok(self.keep(connection))
    }

    pub fn poll_connected(&mut self, place: Place, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.at(place)?.poll_connected(cx)
    }

    pub fn poll_write(&mut self, place: Place, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.at(place)?.poll_write(cx, bytes);
        self.look(place);
        written
    }

    pub fn shut_down(&mut self, place: Place) -> io::Result<()> {
        self.at(place)?.shut_down()?;
        self.look(place);
        Ok(())
    }

    /// Reads at most so much.
    pub fn read(&mut self, place: Place, into: &mut ReadBuf<'_>, most: usize) -> Poll<io::Result<usize>> {
        self.at(place)?.read(into, most).map_ok(|(read, widened)| {
            self.outbound.extend(widened);
            read
        })
    }

    /// Takes out all that has come.
    pub fn drain(&mut self, place: Place) -> BytesMut {
        let Ok(connection) = self.at(place) else { return BytesMut::new() };
        let (drained, widened) = connection.drain();
        self.outbound.extend(widened);
        drained
    }

    /// Whether there are bytes that nobody has read.
    pub fn has_unread(&mut self, place: Place) -> bool {
        self.at(place).is_ok_and(|connection| connection.has_unread())
    }

    /// As close(2) does it.
    pub fn close(&mut self, place: Place) {
        let Ok(connection) = self.at(place) else { return };
        match connection.close() {
            Closing::Lingers => return self.look(place),
            Closing::Forgotten => {}
            Closing::Reset => {
                let reset = connection.reset();
                self.outbound.push(reset);
            }
        }
        self.forget(place);
    }

    /// Looks whether a connection has something to send, or is over.
    fn look(&mut self, place: Place) {
        let Some(Some(connection)) = self.connections.get(place) else { return };
        if connection.has_to_send() {
            self.eager.push((connection.number, place));
        }
        if connection.is_over() {
            self.over.push((connection.number, place));
        }
    }

    /// A packet arrives.
    pub fn deliver(&mut self, packet: Packet) {
        let at = packet.to;
        let Some(place) = self.by_way.get(&[packet.to, packet.from].map(key)).copied() else {
            return self.be_called(&packet);
        };
        let Ok(connection) = self.at(place) else { return };
        let was_called = connection.is_called();
        let answer = connection.take(packet);
        let is_taken = was_called && connection.is_open();
        self.outbound.extend(answer);
        self.look(place);
        if let Some(door) = self.doors.get_mut(&at).filter(|_| is_taken) {
            door.queue.push_back(place);
            door.waiting.drain(..).for_each(Waker::wake);
        }
    }

    /// A packet arrives that belongs to no connection.
    fn be_called(&mut self, packet: &Packet) {
        let Flags { syn, ack, rst, .. } = packet.flags;
        if syn && !ack && self.doors.contains_key(&packet.to) {
            let waiting = self.doors.get(&packet.to).map_or(0, |door| door.queue.len());
            let here = self.connections.iter().flatten().filter(|connection| connection.own == packet.to);
            if here.filter(|connection| connection.is_called()).count() + waiting < BACKLOG {
                let (number, first) = self.begin();
                let (connection, answer) = Connection::answer(number, packet, first);
                self.outbound.push(answer);
                self.keep(connection);
            }
        } else if !rst {
            let (sequence, acknowledged) = match ack {
                true => (packet.acknowledged, 0),
                false => (0, packet.sequence.wrapping_add(packet.length())),
            };
            let flags = Flags { rst: true, ack: !ack, ..Flags::default() };
            let (from, to, payload) = (packet.to, packet.from, BytesMut::new());
            self.outbound.push(Packet { from, to, flags, sequence, acknowledged, window: 0, payload });
        }
    }

    /// Hands over what it has to send: what was said already, then what each connection has, the oldest first.
    pub fn emit(&mut self, into: &mut Vec<Packet>) {
        while !(self.eager.is_empty() && self.outbound.is_empty()) {
            self.eager.sort_unstable();
            self.eager.dedup();
            let mut eager = std::mem::take(&mut self.eager);
            for (number, place) in eager.drain(..) {
                let connection = self.connections.get_mut(place).and_then(Option::as_mut);
                if let Some(connection) = connection.filter(|found| found.number == number && found.has_to_send()) {
                    connection.send(&mut self.outbound);
                }
            }
            self.eager = eager;
            let mut outbound = std::mem::take(&mut self.outbound);
            for packet in outbound.drain(..) {
                match self.has(*packet.to.ip()) {
                    true => self.deliver(packet),
                    false => into.push(packet),
                }
            }
            if self.outbound.is_empty() {
                self.outbound = outbound;
            }
        }
        while let Some((number, place)) = self.over.pop() {
            if self.at(place).is_ok_and(|connection| connection.number == number && connection.is_over()) {
                self.forget(place);
            }
        }
    }
}
