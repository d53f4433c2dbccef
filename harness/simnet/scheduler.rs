//! The one task that carries packets: whatever was sent is decided upon, and delivered when it is due.
//!
//! It sleeps until the next instant at which anything is due. What makes packets brings that instant forward, and wakes
//! nobody: the kernels are asked for them once the first could arrive, or something else is to happen, and each of them counts
//! as sent when it was.
//!
//! Most packets are due at the very next instant that a timer could have, and nothing else can be due before. Where the
//! runtime says that it has nothing left to do ([`idle`]), they are carried there and then, and time goes on by that
//! instant: a timer, and the runtime's search for it, would cost several times as much as the packet.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, advance};

use super::flow::{CALLED, CALLER, FlowId};
use super::packet::{self, Kind, Packet};
use super::timer::Alarms;
use super::trace::{Traced, Verdict};
use super::world::{BUFFER, InFlight, Task, World, with, with_any};
use super::{CLIENT, NOBODY};
use crate::gateway::transport::SocketOptions;

/// So much may be unacknowledged before anybody can be waiting for the acknowledgement: far less than a kernel takes in
/// before it lets its application wait.
const LITTLE: u32 = BUFFER as u32 / 4;

/// The least by which the runtime's clock goes on: its timers count in these.
const TICK: Duration = Duration::from_millis(1);

/// Carries packets for as long as the network is there.
pub(super) async fn run(generation: u64) {
    let _carrier = Carrier(generation);
    poll_fn(|cx| with(generation, |world| world.carry(cx)).unwrap_or(Poll::Ready(()))).await;
}

/// The task that carries packets; once it is gone, nobody is to be woken for them.
struct Carrier(u64);

impl Drop for Carrier {
    fn drop(&mut self) {
        let _ = with(self.0, |world| world.alarms = None);
    }
}

/// Nothing is left to do on the runtime of this thread before time goes on. To be called before it parks.
pub(super) fn idle() {
    with_any(|world| {
        (world.is_told, world.is_current) = (!world.is_blocked, false);
        if world.alarms.is_some() && std::mem::take(&mut world.has_next) {
            // It moves the clock when it is polled, and then only lets others go first.
            let _ = pin!(advance(TICK)).poll(&mut Context::from_waker(Waker::noop()));
            world.go_on();
        }
    });
}

/// Something blocks a thread beside this one, now and perhaps again. Time must not go on meanwhile, which the runtime knows to
/// prevent where timers are what it goes on by.
pub(super) fn something_blocks() {
    with_any(|world| {
        (world.is_blocked, world.is_told, world.is_current) = (true, false, false);
        if std::mem::take(&mut world.has_next) {
            world.arm(world.now + TICK);
        }
    });
}

impl World {
    /// The task that carries packets has been woken.
    fn carry(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.alarms.get_or_insert_with(|| Alarms::of(cx.waker())).belong_to(cx.waker());
        self.go_on();
        Poll::Pending
    }

    /// Does whatever is due, and sees to it that something is done when more will be.
    fn go_on(&mut self) {
        (self.now, self.is_current) = (Instant::now(), self.is_told);
        if let Some(alarms) = &mut self.alarms {
            alarms.begin(self.now);
        }
        let (packets, later) = self.turn();
        self.has_next = self.is_told && packets == Some(self.now + TICK);
        if let Some(alarms) = &mut self.alarms {
            alarms.arm(packets.filter(|_| !self.has_next), later);
        }
    }

    /// Sees to it that something is done then.
    pub fn arm(&mut self, at: Instant) {
        if self.is_told && at == self.now + TICK {
            self.has_next = true;
        } else if let Some(alarms) = &mut self.alarms {
            alarms.bring_forward(at);
        }
    }

    /// Does all that is to be done now; returns when there are more packets, and when there is more of anything else.
    fn turn(&mut self) -> (Option<Instant>, Option<Instant>) {
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
            let sent = self.unsent.filter(|unsent| unsent.is_awaited).map(|unsent| unsent.since + self.latency);
            let packets = moving.into_iter().chain(sent).min();
            let later = self.tasks.first().map(|(at, ..)| *at);
            if packets.into_iter().chain(later).min().is_none_or(|due| due > self.now) {
                return (packets, later);
            }
        }
    }

    /// Whether nobody waits for a packet: an acknowledgement of little, while all is well. It is delivered with whatever is
    /// next to be done, as of its own time, so that an answer costs no instant of its own.
    fn can_wait(&self, moving: &InFlight) -> bool {
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
        self.client.emit(&mut sent);
        self.servers.emit(&mut sent);
        for packet in sent.drain(..) {
            self.emitted(packet, calling);
        }
        (self.sent, self.now) = (sent, now);
    }

    /// Has a packet decided upon that somebody has sent.
    pub fn emitted(&mut self, packet: Packet, calling: Option<(usize, SocketOptions)>) {
        let (from, to, kind, length) = (packet.from, packet.to, Kind::of(&packet), packet.length());
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
            return self.send(InFlight::new(at, None, packet, None));
        };
        let (id, end) = (flow.id, &mut flow.ends[side]);
        if end.is_gone && kind != Kind::Rst {
            // Reading what came before an RST opens a window, which is nobody's business any more.
            return;
        }
        if packet.flags.ack {
            (end.ack, end.window) = (packet.acknowledged, packet.window);
        }
        if length > 0 {
            if packet.flags.syn {
                end.acked = packet.sequence;
            }
            end.sent = packet.sequence.wrapping_add(length);
            end.queued = end.queued.saturating_sub(packet.payload.len());
            end.fin.0 |= packet.flags.fin;
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
            self.send(InFlight::new(at, Some((id, side)), packet, errno));
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
        if let Some(stash) = flow.ends[side].stash.take() {
            self.send_behind(at, id, side, stash);
        }
        self.send_behind(at, id, side, packet);
    }

    /// Puts a packet of one side on its way, behind those that are: what is older says less of what has arrived, and must
    /// not come last.
    pub fn send_behind(&mut self, at: Instant, id: FlowId, side: usize, packet: Packet) {
        let Some(flow) = self.flows.get(id) else { return };
        let arrives = &mut flow.ends[side].arrives;
        let at = arrives.map_or(at, |last| at.max(last));
        *arrives = Some(at);
        let is_established = flow.ends[1 - side].is_open;
        let moving = InFlight::new(at, Some((id, 1 - side)), packet, None);
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
    fn arrive(&mut self, moving: InFlight) {
        let InFlight { at, to, kind, packet, errno } = moving;
        let Some((flow, side)) = to.and_then(|(id, side)| Some((self.flows.get(id)?, side))) else {
            self.deliver(packet);
            return self.owe(true);
        };
        let (id, (own, peer)) = (flow.id, flow.way(side));
        if packet.flags.rst {
            return self.be_reset(id, side, packet, errno);
        }
        let end = &mut flow.ends[side];
        (end.heard, end.probes) = (Some(at), 0);
        end.fin.1 |= packet.flags.fin;
        if kind == Kind::Syn && self.listeners.get(&own).is_some_and(|listener| !listener.is_open) {
            return self.emitted(packet::reset(own, peer), None);
        }
        if end.is_closed && !end.is_gone && !packet.payload.is_empty() {
            // Nobody is there to read it.
            self.deliver(packet::reset(peer, own));
            return self.emitted(packet::reset(own, peer), None);
        }
        let (is_ack, ack) = (packet.flags.ack, packet.acknowledged);
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
        self.deliver(packet);
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
        self.deliver(packet);
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
        // They would wait for the other side's end for good.
        let waiting = [CALLER, CALLED].map(|side| {
            let (own, peer) = flow.way(side);
            (flow.ends[side].is_closed && !flow.ends[side].fin.1).then(|| packet::reset(peer, own))
        });
        waiting.into_iter().flatten().for_each(|reset| self.deliver(reset));
        self.flows.remove(id);
    }
}
