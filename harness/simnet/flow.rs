//! Flows, the network's view of connections: the sequence state of each side, and packets held for retransmission.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;

use tokio::time::Instant;

use super::packet::{Packet, key};
use crate::gateway::transport::SocketOptions;

/// The index of the side that connected.
pub(crate) const CALLER: usize = 0;
/// The index of the side that accepted.
pub(crate) const CALLED: usize = 1;

/// The index of a flow; `number` distinguishes it from an earlier flow at the same index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlowId {
    pub slot: usize,
    pub number: u64,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Flow {
    pub id: FlowId,
    /// The caller's address first.
    pub addresses: [SocketAddrV4; 2],
    pub ends: [End; 2],
    /// The state of stateful devices on the path.
    pub tracked: Tracked,
}

/// The state that a stateful device on the path keeps for a flow.
#[derive(Debug)]
pub(super) struct Tracked {
    /// Whether a SYN-ACK has passed.
    pub is_answered: bool,
    /// When a packet last passed.
    pub last_packet: Instant,
    /// When a packet other than a keepalive probe last passed.
    pub last_non_probe: Instant,
    /// The rule that has expired the flow.
    pub expired_by: Option<u64>,
    /// Rules that count each flow once, and have counted this one.
    pub marks: Vec<u64>,
}

/// One side of a flow.
#[derive(Debug, Default)]
pub(super) struct End {
    /// The simulation's socket of this side, if it is open.
    pub socket: Option<usize>,
    pub options: SocketOptions,
    /// Whether the application has closed the socket; the kernel may still have data to send.
    pub is_closed: bool,
    /// Whether the kernel has dropped the connection.
    pub is_gone: bool,
    /// Whether the side's part of the handshake is done.
    pub is_open: bool,
    /// Whether this side has sent FIN, and whether it has received one.
    pub fin: (bool, bool),
    /// Bytes written but not sent, because the window is full or the packets are not collected yet.
    pub queued: usize,
    /// SND.NXT and SND.UNA of RFC 9293.
    pub sent: u32,
    pub acked: u32,
    /// The acknowledgement and window that this side sent last.
    pub ack: u32,
    pub window: u16,
    /// Packets that have not passed: the first was lost if `is_lost`, the others wait behind it.
    pub held: VecDeque<Packet>,
    pub is_lost: bool,
    /// Whether that packet was lost by chance, so that packets behind it may pass and reveal the loss.
    pub by_chance: bool,
    /// The newest acknowledgement (or SYN-ACK) of this side that was lost; sent again when the other side retransmits.
    pub held_ack: Option<Packet>,
    /// When the last of this side's packets in flight arrives.
    pub arrives: Option<Instant>,
    /// Since when data have been unacknowledged.
    pub unacked_since: Option<Instant>,
    /// Retransmissions of these data: their number, the instant of the first, and when the next is due.
    pub retries: u32,
    pub retried_since: Option<Instant>,
    pub retry_at: Option<Instant>,
    /// The errno of the last ICMP message about this side's packets.
    pub icmp: Option<i32>,
    /// When a packet of the other side last arrived.
    pub heard: Option<Instant>,
    /// The number of keepalive probes without an answer.
    pub probes: u32,
}

impl End {
    /// Drops the connection in its kernel: nothing is sent or retransmitted from now on.
    pub fn drop_connection(&mut self) {
        self.is_gone = true;
        self.held.clear();
        (self.held_ack, self.unacked_since, self.retry_at, self.retried_since) = Default::default();
    }

    /// Whether no application can be waiting for this side's data to be acknowledged: all are sent, none lost, and at
    /// most `few` bytes unacknowledged.
    pub fn has_no_waiter(&self, few: u32) -> bool {
        let unacknowledged = self.sent.wrapping_sub(self.acked);
        let has_sent_all = self.queued == 0 && self.held.is_empty() && !self.is_lost;
        self.is_open && !self.fin.0 && has_sent_all && unacknowledged <= few
    }

    /// Whether no more data can arrive for the application.
    pub fn has_received_all(&self) -> bool {
        self.fin.1 || self.is_gone
    }

    /// When TCP_USER_TIMEOUT ends the connection; `None`: it is not set, or nothing is retransmitted.
    pub fn given_up_at(&self) -> Option<Instant> {
        // Linux counts from the first retransmission, and in a handshake from its start.
        let since = if self.is_open { self.retried_since } else { self.unacked_since };
        Some(since? + self.options.user_timeout?)
    }

    /// Whether the application has closed the socket, and all data and the FIN are acknowledged.
    fn is_finished(&self) -> bool {
        self.is_closed && self.fin.0 && self.acked == self.sent
    }
}

impl Flow {
    /// Whether both kernels are done with the flow, or wait only for packets that can no longer arrive.
    pub fn is_over(&self) -> bool {
        let [caller, called] = &self.ends;
        let has_answered = called.unacked_since.is_some() || called.sent != called.acked || called.is_open;
        match (caller.is_gone, called.is_gone) {
            (true, true) => true,
            (true, false) => called.is_finished() || !has_answered,
            (false, true) => caller.is_finished(),
            (false, false) => [caller, called].iter().all(|end| end.is_finished() && end.fin.1),
        }
    }

    /// Source and destination of one side's packets.
    pub fn addresses_from(&self, from: usize) -> (SocketAddrV4, SocketAddrV4) {
        (self.addresses[from], self.addresses[1 - from])
    }
}

/// All flows that are not over.
#[derive(Debug, Default)]
pub(super) struct Flows {
    slots: Vec<Option<Flow>>,
    free: Vec<usize>,
    by_address: BTreeMap<[u64; 2], usize>,
    newest: u64,
}

impl Flows {
    /// The number of the newest flow.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Opens a flow, which replaces an earlier one between the same addresses.
    pub fn open(&mut self, addresses: [SocketAddrV4; 2], now: Instant) -> FlowId {
        if let Some(old) = self.between(addresses) {
            self.remove(old);
        }
        self.newest += 1;
        let slot = self.free.pop().unwrap_or(self.slots.len());
        let id = FlowId { slot, number: self.newest };
        let marks = Vec::new();
        let tracked = Tracked { is_answered: false, last_packet: now, last_non_probe: now, expired_by: None, marks };
        let flow = Flow { id, addresses, ends: Default::default(), tracked };
        match self.slots.get_mut(slot) {
            Some(free) => *free = Some(flow),
            None => self.slots.push(Some(flow)),
        }
        self.by_address.insert(addresses.map(key), slot);
        id
    }

    pub fn between(&self, addresses: [SocketAddrV4; 2]) -> Option<FlowId> {
        let slot = self.by_address.get(&addresses.map(key))?;
        Some(self.slots.get(*slot)?.as_ref()?.id)
    }

    pub fn get(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.slots.get_mut(id.slot)?.as_mut().filter(|flow| flow.id == id)
    }

    pub fn look(&self, id: FlowId) -> Option<&Flow> {
        self.slots.get(id.slot)?.as_ref().filter(|flow| flow.id == id)
    }

    pub fn remove(&mut self, id: FlowId) {
        if let Some(flow) = self.slots.get_mut(id.slot).and_then(|slot| slot.take_if(|flow| flow.id == id)) {
            self.by_address.remove(&flow.addresses.map(key));
            self.free.push(id.slot);
        }
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Flow> {
        self.slots.iter_mut().flatten()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.slots.iter().flatten()
    }
}
