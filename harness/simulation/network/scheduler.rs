//! The one task that carries packets: whatever was sent is decided upon, and delivered when it is due.
//!
//! It sleeps until the next instant at which anything is due. What makes packets brings that instant forward, and wakes
//! nobody: the kernels are asked for them once the first could arrive, or something else is to happen, and each of them counts
//! as sent when it was.

use std::future::{Future, poll_fn};
use std::task::{Context, Poll};

use tokio::time::{Instant, sleep_until};
use turmoil_net::Packet;

use super::flow::{CALLED, CALLER, FlowId};
use super::packet::{self, Kind};
use super::trace::{Traced, Verdict};
use super::world::{BUFFER, Moving, Task, World, with};
use super::{CLIENT, NOBODY};
use crate::environment::network::transport::SocketOptions;

/// So much may be unacknowledged before anybody can be waiting for the acknowledgement: far less than a kernel takes in
/// before it lets its application wait.
const LITTLE: u32 = BUFFER as u32 / 4;

/// Carries packets for as long as the network is there.
pub(super) async fn run(generation: u64) {
    poll_fn(|cx| with(generation, |world| world.carry(cx)).unwrap_or(Poll::Ready(()))).await;
}

impl World {
    /// Does whatever is due, until nothing is.
    fn carry(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
        loop {
            let due = self.turn();
            self.armed = due;
            let Some(due) = due else { return Poll::Pending };
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if sleep.deadline() != due {
                sleep.as_mut().reset(due);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Sees to it that something is done then.
    pub fn arm(&mut self, at: Instant) {
        match (self.armed, &mut self.sleep) {
            (Some(armed), _) if armed <= at => {}
            (Some(_), Some(sleep)) => {
                sleep.as_mut().reset(at);
                self.armed = Some(at);
            }
            _ => {
                if let Some(waker) = &self.waker {
                    waker.wake_by_ref();
                }
            }
        }
    }

    /// Does all that is to be done now; returns when there is more.
    fn turn(&mut self) -> Option<Instant> {
        self.now = Instant::now();
        self.armed = Some(self.now);
        loop {
            self.catch_up();
            while self.moving.front().is_some_and(|moving| moving.at <= self.now) {
                if let Some(moving) = self.moving.pop_front() {
                    self.arrive(moving);
                }
            }
            while self.tasks.first().is_some_and(|(at, ..)| *at <= self.now) {
                match self.tasks.pop_first() {
                    Some((at, flow, end, Task::Retry)) => self.retry(flow, end, at),
                    Some((_, flow, end, Task::Keepalive)) => self.keep_alive(flow, end),
                    None => break,
                }
            }
            let moving = self.moving.iter().find(|moving| !self.can_wait(moving)).map(|moving| moving.at);
            let task = self.tasks.first().map(|(at, ..)| *at);
            let sent = self.unsent.filter(|unsent| unsent.is_awaited).map(|unsent| unsent.since + self.latency);
            let due = moving.into_iter().chain(task).chain(sent).min();
            if due.is_none_or(|due| due > self.now) {
                return due;
            }
        }
    }

    /// Whether nobody waits for a packet: an acknowledgement of little, while all is well. It is delivered with whatever is
    /// next to be done, as of its own time, so that an answer costs no instant of its own.
    fn can_wait(&self, moving: &Moving) -> bool {
        let end = moving.to.and_then(|(id, side)| Some(&self.flows.look(id)?.ends[side]));
        moving.kind == Kind::Ack && end.is_some_and(|end| end.is_at_ease(LITTLE))
    }

    /// Has what was given to the kernels at an earlier instant sent, as of then.
    pub fn catch_up(&mut self) {
        if self.unsent.is_some_and(|unsent| unsent.since < self.now || self.latency.is_zero()) {
            self.collect(None);
        }
    }

    /// Takes what the kernels have sent since they were given anything, as of then. `calling`: whose SYN is among it.
    pub fn collect(&mut self, calling: Option<(usize, SocketOptions)>) {
        let now = self.now;
        if let Some(unsent) = self.unsent.take() {
            self.now = unsent.since;
        }
        let mut sent = std::mem::take(&mut self.sent);
        self.guard.egress_all(&mut sent);
        for packet in sent.drain(..) {
            self.emitted(packet, calling);
        }
        (self.sent, self.now) = (sent, now);
    }

    /// Has a packet decided upon that somebody has sent.
    pub fn emitted(&mut self, packet: Packet, calling: Option<(usize, SocketOptions)>) {
        let Some(segment) = packet::segment(&packet) else { return };
        let Some((from, to)) = packet::way(&packet, segment) else { return };
        let (kind, length) = (Kind::of(segment), packet::length(segment));
        let (addresses, side) = match *from.ip() == CLIENT {
            true => ([from, to], CALLER),
            false => ([to, from], CALLED),
        };
        let known = match kind {
            Kind::Syn => Some(self.flows.open(addresses, self.now)),
            _ => self.flows.between(addresses),
        };
        let Some(flow) = known.and_then(|id| self.flows.get(id)) else {
            // The last words of what both sides have forgotten.
            let at = self.now + self.latency;
            return self.send(Moving::new(at, None, packet, None));
        };
        let (id, end) = (flow.id, &mut flow.ends[side]);
        if end.is_gone && kind != Kind::Rst {
            // Reading what came before an RST opens a window, which is nobody's business any more.
            return;
        }
        if segment.flags.ack {
            (end.ack, end.window) = (segment.ack, segment.window);
        }
        if length > 0 {
            if segment.flags.syn {
                end.acked = segment.seq;
            }
            end.sent = segment.seq.wrapping_add(length);
            end.queued = end.queued.saturating_sub(segment.payload.len());
            end.fin.0 |= segment.flags.fin;
            end.unacked_since.get_or_insert(self.now);
        }
        match kind {
            Kind::Syn => {
                if let Some((socket, options)) = calling {
                    (end.socket, end.options) = (Some(socket), options);
                    if let Some(Some(entry)) = self.sockets.get_mut(socket) {
                        entry.flow = Some((id, side));
                    }
                }
                self.first_try(id, side, packet);
            }
            Kind::Data | Kind::Fin if end.held.is_empty() => self.first_try(id, side, packet),
            Kind::Data | Kind::Fin => self.wait_behind(id, side, packet),
            Kind::Ack | Kind::SynAck => match self.offer(id, side, kind) {
                Verdict::Passed => self.travel(id, side, packet),
                _ => self.stash(id, side, packet),
            },
            Kind::Rst | Kind::Probe => {
                end.go();
                match self.offer(id, side, kind) {
                    Verdict::Passed => self.travel(id, side, packet),
                    // It is not sent again, but whatever else the other side sends brings another.
                    _ => self.await_answer(id, 1 - side),
                }
            }
        }
    }

    /// Asks the filter about a packet of one side, and has its answer sent where it gives one.
    pub fn offer(&mut self, id: FlowId, side: usize, kind: Kind) -> Verdict {
        let Some(flow) = self.flows.get(id) else { return Verdict::Lost };
        let (from, to) = flow.way(side);
        let verdict = match *to.ip() == NOBODY {
            true => Verdict::Lost,
            false => self.rules.decide(self.now, flow, side, kind),
        };
        let errno = match verdict {
            Verdict::Unreachable(errno) if kind == Kind::Syn => Some(Some(errno)),
            Verdict::Unreachable(errno) => {
                // Not the end of a connection that is open, but what it died of if it ends.
                flow.ends[side].icmp = Some(errno);
                None
            }
            Verdict::Reset => Some(None),
            _ => None,
        };
        if let Some(errno) = errno {
            let (at, packet) = (self.now + self.latency, packet::reset(to, from));
            self.send(Moving::new(at, Some((id, side)), packet, errno));
        }
        let at = self.now.duration_since(self.opened);
        if let Some(trace) = &mut self.trace {
            trace.push(Traced { at, from, to, kind, verdict });
        }
        verdict
    }

    /// Lets a packet of one side through. An acknowledgement that was lost before it comes with it.
    pub fn travel(&mut self, id: FlowId, side: usize, packet: Packet) {
        let Some(flow) = self.flows.get(id) else { return };
        let at = self.now + self.latency;
        let stash = flow.ends[side].stash.take();
        for packet in stash.into_iter().chain([packet]) {
            self.send_behind(at, id, side, packet);
        }
    }

    /// Puts a packet of one side on its way, behind those that are: what is older says less of what has arrived, and must
    /// not come last.
    pub fn send_behind(&mut self, at: Instant, id: FlowId, side: usize, packet: Packet) {
        let Some(flow) = self.flows.get(id) else { return };
        let arrives = &mut flow.ends[side].arrives;
        let at = arrives.map_or(at, |last| at.max(last));
        *arrives = Some(at);
        let is_established = flow.ends[1 - side].is_open;
        let moving = Moving::new(at, Some((id, 1 - side)), packet, None);
        // What an acknowledgement before it says, this one says as well. The first completes a handshake, and nothing else does.
        if is_established
            && moving.kind != Kind::Rst
            && let Some(last) = self.moving.iter().rposition(|other| other.to == moving.to)
            && self.moving[last].kind == Kind::Ack
        {
            self.moving.remove(last);
        }
        self.send(moving);
    }

    /// Delivers a packet.
    fn arrive(&mut self, moving: Moving) {
        let Moving { at, to, kind, packet, errno } = moving;
        let Some((flow, side)) = to.and_then(|(id, side)| Some((self.flows.get(id)?, side))) else {
            self.guard.deliver(packet);
            return self.owe(true);
        };
        let Some(segment) = packet::segment(&packet) else { return };
        let (id, (own, peer)) = (flow.id, flow.way(side));
        if segment.flags.rst {
            return self.be_reset(id, side, packet, errno);
        }
        let end = &mut flow.ends[side];
        (end.heard, end.probes) = (Some(at), 0);
        end.fin.1 |= segment.flags.fin;
        if kind == Kind::Syn && self.listeners.get(&own).is_some_and(|listener| !listener.is_open) {
            return self.emitted(packet::reset(own, peer), None);
        }
        if end.is_closed && !end.is_gone && !segment.payload.is_empty() {
            // Nobody is there to read it.
            self.guard.deliver(packet::reset(peer, own));
            return self.emitted(packet::reset(own, peer), None);
        }
        let (is_ack, ack) = (segment.flags.ack, segment.ack);
        let reader = end.socket.filter(|_| kind != Kind::Ack);
        // Of little data nobody waits for the acknowledgement, and an acknowledgement has no answer.
        let answered = if kind == Kind::Data { &flow.ends[1 - side] } else { &flow.ends[side] };
        let is_known = matches!(kind, Kind::Data | Kind::Ack) && !flow.ends[side].is_gone;
        let is_at_ease = is_known && answered.is_at_ease(LITTLE);
        let end = &mut flow.ends[side];
        let has_opened = is_ack && !end.is_open;
        end.is_open |= is_ack;
        let keepalive = end.options.keepalive.filter(|_| has_opened && side == CALLER);
        if let Some(times) = keepalive {
            self.schedule(self.now + times.idle, id, side, Task::Keepalive);
        }
        if is_ack {
            self.acknowledged(id, side, ack);
        }
        self.guard.deliver(packet);
        if kind != Kind::Ack || !is_at_ease {
            self.owe(!is_at_ease);
        }
        if let Some(socket) = reader {
            self.rouse(socket, kind == Kind::Fin);
        }
        if has_opened && self.listeners.get(&own).is_some_and(|listener| !listener.is_open) {
            self.turn_away(own);
        }
        self.remove_if_over(id);
    }

    /// Has an RST arrive. What came before it can still be read, which this kernel would not allow.
    pub fn be_reset(&mut self, id: FlowId, side: usize, packet: Packet, errno: Option<i32>) {
        let Some(flow) = self.flows.get(id) else { return };
        let end = &mut flow.ends[side];
        let (socket, has_ended, was_open) = (end.socket, end.fin.1, end.is_open);
        end.go();
        if let Some(socket) = socket {
            self.drain(socket);
            if let Some(Some(entry)) = self.sockets.get_mut(socket) {
                // Who has not noticed yet that he is connected is reset too, and not refused.
                entry.errno = errno.or(was_open.then_some(libc::ECONNRESET));
                entry.has_ended = has_ended && errno.is_none();
            }
        }
        self.guard.deliver(packet);
        if let Some(socket) = socket {
            self.rouse(socket, true);
        }
        self.await_answer(id, 1 - side);
        self.remove_if_over(id);
    }

    pub fn remove_if_over(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        if !flow.is_over() {
            return;
        }
        for side in [CALLER, CALLED] {
            let (own, peer) = flow.way(side);
            if flow.ends[side].is_closed && !flow.ends[side].fin.1 {
                // It would wait for the other side's end for good.
                self.guard.deliver(packet::reset(peer, own));
            }
        }
        self.flows.remove(id);
    }
}
