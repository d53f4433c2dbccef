//! Connections as the network knows them: what each side has sent, and what of that has not been acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;

use tokio::time::Instant;

use super::packet::{Packet, key};
use crate::gateway::transport::SocketOptions;

/// The side that connected.
pub(crate) const CALLER: usize = 0;
/// The side that was called.
pub(crate) const CALLED: usize = 1;

/// Where a flow is found; the number tells it from one that had the place before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlowId {
    pub place: usize,
    pub number: u64,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Flow {
    pub id: FlowId,
    /// By the side: the one that connected first.
    pub addresses: [SocketAddrV4; 2],
    pub ends: [End; 2],
    /// What devices on the way know of it.
    pub tracked: Tracked,
}

/// What a device on the way remembers.
#[derive(Debug)]
pub(super) struct Tracked {
    /// Whether an answer has come.
    pub is_answered: bool,
    /// When a packet last passed.
    pub moved: Instant,
    /// When one passed that was no probe of keepalive's.
    pub spoke: Instant,
    /// Which rule has forgotten it.
    pub forgotten_by: Option<u64>,
    /// Which rules have counted it, and count nothing once only.
    pub marks: Vec<u64>,
}

/// One side of a flow, as its kernel has it.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Of this side, if it is the simulation's.
    pub socket: Option<usize>,
    pub options: SocketOptions,
    /// The application has closed it; what is left is the kernel's.
    pub is_closed: bool,
    /// Its kernel knows nothing of it any more.
    pub is_gone: bool,
    /// Its part of the handshake is over.
    pub is_open: bool,
    /// The end of the stream: sent by this side, and heard by it.
    pub fin: (bool, bool),
    /// Bytes that were written, and have not been sent: there was no room for them, or no time yet.
    pub queued: usize,
    /// What comes after the last byte that was sent, and the first that is not acknowledged.
    pub sent: u32,
    pub acked: u32,
    /// What it last said of what it has received.
    pub ack: u32,
    pub window: u16,
    /// What has been sent, and has not got through: the first of it was lost if `is_lost`, the others wait for it.
    pub held: VecDeque<Packet>,
    pub is_lost: bool,
    /// Others may have got through, so that the loss is noticed soon.
    pub by_chance: bool,
    /// The newest acknowledgement (or answer to a SYN) that was lost. It is said anew once it is asked for.
    pub stash: Option<Packet>,
    /// When the last of its packets arrives that is on its way.
    pub arrives: Option<Instant>,
    /// Since when something has been unacknowledged.
    pub unacked_since: Option<Instant>,
    /// How often that has been sent again, since when, and when next.
    pub retries: u32,
    pub retried_since: Option<Instant>,
    pub retry_at: Option<Instant>,
    /// What a router last said of what was sent.
    pub icmp: Option<i32>,
    /// When anything was last heard of the other side.
    pub heard: Option<Instant>,
    /// Keepalive's questions without an answer.
    pub probes: u32,
}

impl End {
    /// Its kernel knows nothing of it from now on: nothing is sent, nor sent again.
    pub fn go(&mut self) {
        self.is_gone = true;
        self.held.clear();
        (self.stash, self.unacked_since, self.retry_at, self.retried_since) = Default::default();
    }

    /// Whether nothing hangs on what it has sent: that is acknowledged, but for a few bytes, and nothing was lost.
    pub fn is_at_ease(&self, few: u32) -> bool {
        let unacknowledged = self.sent.wrapping_sub(self.acked);
        let has_sent_all = self.queued == 0 && self.held.is_empty() && !self.is_lost;
        self.is_open && !self.fin.0 && has_sent_all && unacknowledged <= few
    }

    /// Whether nothing more can arrive here that its application could read.
    pub fn has_heard_all(&self) -> bool {
        self.fin.1 || self.is_gone
    }

    /// When it is given up for what its application asked for.
    pub fn given_up_at(&self) -> Option<Instant> {
        // Linux counts from the first time that data are sent again, and in a handshake from its beginning.
        let since = if self.is_open { self.retried_since } else { self.unacked_since };
        Some(since? + self.options.user_timeout?)
    }

    /// Whether its application has ended it, and all that it has said is known.
    fn is_quiet(&self) -> bool {
        self.is_closed && self.fin.0 && self.acked == self.sent
    }
}

impl Flow {
    /// Whether no kernel has anything more to do with it, or waits for nothing that could still come.
    pub fn is_over(&self) -> bool {
        let [caller, called] = &self.ends;
        let has_answered = called.unacked_since.is_some() || called.sent != called.acked || called.is_open;
        match (caller.is_gone, called.is_gone) {
            (true, true) => true,
            (true, false) => called.is_quiet() || !has_answered,
            (false, true) => caller.is_quiet(),
            (false, false) => [caller, called].iter().all(|end| end.is_quiet() && end.fin.1),
        }
    }

    /// Whence and whither the packets of one side go.
    pub fn way(&self, from: usize) -> (SocketAddrV4, SocketAddrV4) {
        (self.addresses[from], self.addresses[1 - from])
    }
}

/// Every flow that either side still knows.
#[derive(Debug, Default)]
pub(super) struct Flows {
    places: Vec<Option<Flow>>,
    free: Vec<usize>,
    by_address: BTreeMap<[u64; 2], usize>,
    newest: u64,
}

impl Flows {
    /// The number of the newest.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// A new one, in the place of one between the same addresses.
    pub fn open(&mut self, addresses: [SocketAddrV4; 2], now: Instant) -> FlowId {
        if let Some(old) = self.between(addresses) {
            self.remove(old);
        }
        self.newest += 1;
        let place = self.free.pop().unwrap_or(self.places.len());
        let id = FlowId { place, number: self.newest };
        let marks = Vec::new();
        let tracked = Tracked { is_answered: false, moved: now, spoke: now, forgotten_by: None, marks };
        let flow = Flow { id, addresses, ends: Default::default(), tracked };
        match self.places.get_mut(place) {
            Some(free) => *free = Some(flow),
            None => self.places.push(Some(flow)),
        }
        self.by_address.insert(addresses.map(key), place);
        id
    }

    pub fn between(&self, addresses: [SocketAddrV4; 2]) -> Option<FlowId> {
        let place = self.by_address.get(&addresses.map(key))?;
        Some(self.places.get(*place)?.as_ref()?.id)
    }

    pub fn get(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.places.get_mut(id.place)?.as_mut().filter(|flow| flow.id == id)
    }

    pub fn look(&self, id: FlowId) -> Option<&Flow> {
        self.places.get(id.place)?.as_ref().filter(|flow| flow.id == id)
    }

    pub fn remove(&mut self, id: FlowId) {
        if let Some(flow) = self.places.get_mut(id.place).and_then(|place| place.take_if(|flow| flow.id == id)) {
            self.by_address.remove(&flow.addresses.map(key));
            self.free.push(id.place);
        }
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Flow> {
        self.places.iter_mut().flatten()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.places.iter().flatten()
    }
}
