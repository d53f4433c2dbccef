//! The TCP of one machine: ports, listeners and connections.
//!
//! A kernel has no clock, loses no packets and retransmits none: the network does that. It behaves as the kernel of
//! turmoil-net down to sequence numbers, which a test compares, but is faster: turmoil-net polls every socket for
//! packets, this kernel only those with something to send.

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

/// The first ephemeral port.
const FIRST_PORT: u16 = 49_152;

/// The most connections that are in a handshake or wait to be accepted, per listener.
const BACKLOG: usize = 1024;

/// The initial sequence number of the first connection, and the distance between those of successive connections.
const FIRST_SEQUENCE: u32 = 0x0100_0000;
const SEQUENCES_APART: u32 = 0x1_0000;

/// The index of a connection.
pub(super) type Slot = usize;

/// A listener, with the connections that wait to be accepted.
#[derive(Debug, Default)]
struct Listener {
    queue: VecDeque<Slot>,
    waiting: Vec<Waker>,
}

/// The kernel of one machine.
#[derive(Debug)]
pub(super) struct Kernel {
    addresses: Vec<Ipv4Addr>,
    connections: Vec<Option<Connection>>,
    free: Vec<Slot>,
    /// Indices by own address and peer address.
    by_addresses: BTreeMap<[u64; 2], Slot>,
    listeners: BTreeMap<SocketAddrV4, Listener>,
    /// Packets ready to be collected.
    outbound: Vec<Packet>,
    /// Numbers and indices of connections that have data to send, and of those that can be removed.
    to_send: Vec<(u64, Slot)>,
    finished: Vec<(u64, Slot)>,
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
            by_addresses: BTreeMap::new(),
            listeners: BTreeMap::new(),
            outbound: Vec::new(),
            to_send: Vec::new(),
            finished: Vec::new(),
            port: FIRST_PORT,
            sequence: FIRST_SEQUENCE,
            newest: 0,
        }
    }

    /// Whether an address is this machine's.
    pub fn has(&self, address: Ipv4Addr) -> bool {
        address.is_loopback() || self.addresses.contains(&address)
    }

    fn at(&mut self, slot: Slot) -> io::Result<&mut Connection> {
        let connection = self.connections.get_mut(slot).and_then(Option::as_mut);
        connection.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// The number and the initial sequence number of the next connection.
    fn next_numbers(&mut self) -> (u64, u32) {
        let first = self.sequence;
        self.sequence = first.wrapping_add(SEQUENCES_APART);
        self.newest += 1;
        (self.newest, first)
    }

    fn insert(&mut self, connection: Connection) -> Slot {
        let addresses = [connection.own, connection.peer].map(key);
        let slot = self.free.pop().unwrap_or(self.connections.len());
        match self.connections.get_mut(slot) {
            Some(free) => *free = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        self.by_addresses.insert(addresses, slot);
        slot
    }

    fn remove(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot).and_then(Option::take) else { return };
        self.free.push(slot);
        let addresses = [connection.own, connection.peer].map(key);
        // A newer connection between the same addresses stays indexed.
        if self.by_addresses.get(&addresses) == Some(&slot) {
            self.by_addresses.remove(&addresses);
        }
    }

    /// Returns an ephemeral port without connection or listener.
    ///
    /// *Errors*: `AddrInUse` if there is none.
    fn free_port(&mut self) -> io::Result<u16> {
        let begun = self.port;
        loop {
            let port = self.port;
            self.port = port.checked_add(1).unwrap_or(FIRST_PORT);
            let mut taken = self.connections.iter().flatten().map(|connection| connection.own.port());
            if !taken.any(|taken| taken == port) && !self.listeners.keys().any(|at| at.port() == port) {
                return Ok(port);
            }
            if self.port == begun {
                return Err(ErrorKind::AddrInUse.into());
            }
        }
    }

    /// Listens; returns the bound address.
    ///
    /// *Errors*: the address is not this machine's, or is used by a listener or a connection.
    pub fn listen(&mut self, at: SocketAddrV4) -> io::Result<SocketAddrV4> {
        if !self.has(*at.ip()) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let at = match at.port() {
            0 => SocketAddrV4::new(*at.ip(), self.free_port()?),
            _ => at,
        };
        if self.listeners.contains_key(&at) || self.connections.iter().flatten().any(|connection| connection.own == at)
        {
            return Err(ErrorKind::AddrInUse.into());
        }
        self.listeners.insert(at, Listener::default());
        Ok(at)
    }

    /// Accepts the next connection.
    ///
    /// *Errors*: `NotFound` without a listener.
    pub fn poll_accept(&mut self, at: SocketAddrV4, cx: &Context<'_>) -> Poll<io::Result<(Slot, SocketAddrV4)>> {
        let Some(listener) = self.listeners.get_mut(&at) else { return Poll::Ready(Err(ErrorKind::NotFound.into())) };
        match listener.queue.pop_front() {
            Some(slot) => Poll::Ready(self.at(slot).map(|connection| (slot, connection.peer))),
            None => {
                if !listener.waiting.iter().any(|known| known.will_wake(cx.waker())) {
                    listener.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// Begins to connect, and queues the SYN.
    ///
    /// *Errors*: no ephemeral port is free.
    pub fn connect(&mut self, to: SocketAddrV4) -> io::Result<Slot> {
        let own = match to.ip().is_loopback() {
            true => Some(Ipv4Addr::LOCALHOST),
            false => self.addresses.first().copied(),
        };
        let own = SocketAddrV4::new(own.ok_or(ErrorKind::AddrNotAvailable)?, self.free_port()?);
        let (number, first) = self.next_numbers();
        let (connection, syn) = Connection::open_actively(number, (own, to), first);
        self.outbound.push(syn);
        Ok(self.insert(connection))
    }

    pub fn poll_connected(&mut self, slot: Slot, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.at(slot)?.poll_connected(cx)
    }

    pub fn poll_write(&mut self, slot: Slot, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.at(slot)?.poll_write(cx, bytes);
        self.queue_work(slot);
        written
    }

    pub fn shut_down(&mut self, slot: Slot) -> io::Result<()> {
        self.at(slot)?.shut_down()?;
        self.queue_work(slot);
        Ok(())
    }

    /// Reads at most `most` bytes.
    pub fn read(&mut self, slot: Slot, into: &mut ReadBuf<'_>, most: usize) -> Poll<io::Result<usize>> {
        self.at(slot)?.read(into, most).map_ok(|(read, window_update)| {
            self.outbound.extend(window_update);
            read
        })
    }

    /// Takes all unread data.
    pub fn drain(&mut self, slot: Slot) -> BytesMut {
        let Ok(connection) = self.at(slot) else { return BytesMut::new() };
        let (drained, window_update) = connection.drain();
        self.outbound.extend(window_update);
        drained
    }

    /// Whether there are unread data.
    pub fn has_unread(&mut self, slot: Slot) -> bool {
        self.at(slot).is_ok_and(|connection| connection.has_unread())
    }

    /// Closes a connection as close(2) does: with FIN, or with RST if data are unread.
    pub fn close(&mut self, slot: Slot) {
        let Ok(connection) = self.at(slot) else { return };
        match connection.close() {
            Closing::Lingers => return self.queue_work(slot),
            Closing::Forgotten => {}
            Closing::Reset => {
                let reset = connection.reset();
                self.outbound.push(reset);
            }
        }
        self.remove(slot);
    }

    /// Queues a connection for `emit`, if it has data to send or can be removed.
    fn queue_work(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get(slot) else { return };
        if connection.has_to_send() {
            self.to_send.push((connection.number, slot));
        }
        if connection.is_over() {
            self.finished.push((connection.number, slot));
        }
    }

    /// Receives a packet.
    pub fn deliver(&mut self, packet: Packet) {
        let at = packet.to;
        let Some(slot) = self.by_addresses.get(&[packet.to, packet.from].map(key)).copied() else {
            return self.handle_unknown(&packet);
        };
        let Ok(connection) = self.at(slot) else { return };
        let was_syn_received = connection.is_syn_received();
        let answer = connection.receive(packet);
        let is_established = was_syn_received && connection.is_open();
        self.outbound.extend(answer);
        self.queue_work(slot);
        if let Some(listener) = self.listeners.get_mut(&at).filter(|_| is_established) {
            listener.queue.push_back(slot);
            listener.waiting.drain(..).for_each(Waker::wake);
        }
    }

    /// Receives a packet that belongs to no connection. Opens a connection for a SYN to a listener, unless the
    /// backlog is full; answers any other packet but RST with RST.
    fn handle_unknown(&mut self, packet: &Packet) {
        let Flags { syn, ack, rst, .. } = packet.flags;
        if syn && !ack && self.listeners.contains_key(&packet.to) {
            let waiting = self.listeners.get(&packet.to).map_or(0, |listener| listener.queue.len());
            let here = self.connections.iter().flatten().filter(|connection| connection.own == packet.to);
            if here.filter(|connection| connection.is_syn_received()).count() + waiting < BACKLOG {
                let (number, first) = self.next_numbers();
                let (connection, answer) = Connection::open_passively(number, packet, first);
                self.outbound.push(answer);
                self.insert(connection);
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

    /// Collects all packets: those ready first, then those of each connection, the oldest first. Delivers those to
    /// this machine itself, and removes connections that are over.
    pub fn emit(&mut self, into: &mut Vec<Packet>) {
        while !(self.to_send.is_empty() && self.outbound.is_empty()) {
            self.to_send.sort_unstable();
            self.to_send.dedup();
            let mut to_send = std::mem::take(&mut self.to_send);
            for (number, slot) in to_send.drain(..) {
                let connection = self.connections.get_mut(slot).and_then(Option::as_mut);
                if let Some(connection) = connection.filter(|found| found.number == number && found.has_to_send()) {
                    connection.send(&mut self.outbound);
                }
            }
            self.to_send = to_send;
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
        while let Some((number, slot)) = self.finished.pop() {
            if self.at(slot).is_ok_and(|connection| connection.number == number && connection.is_over()) {
                self.remove(slot);
            }
        }
    }
}
