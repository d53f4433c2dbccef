//! Carries packets: passes each packet that a kernel sends to the filter, and delivers it when it is due.
//!
//! One task does this. It sleeps until the next instant at which work is due. An application's call that produces
//! packets brings that instant forward but does not wake the task: the kernels' packets are collected when the first
//! of them could arrive, or when other work is due, and each counts as sent at the time of the call.
//!
//! Most packets are due at the next tick of the runtime's clock, before which no timer can fire. When the runtime
//! reports that it is idle ([`runtime_is_idle`]), the report advances the clock by one tick and delivers them at
//! once: a timer, and the runtime's search for it, would cost several times as much as the packet.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, advance};

use super::flow::{CALLED, CALLER, FlowId};
use super::packet::{self, Kind, Packet};
use super::state::{BUFFER, FlowTask, IdleReports, InFlight, NetState, with, with_any};
use super::timer::Timers;
use super::trace::{TracedPacket, Verdict};
use super::{CLIENT, UNUSED_ADDRESS};
use crate::gateway::transport::SocketOptions;

/// With at most this many unacknowledged bytes no application can be waiting for the acknowledgement: far fewer than a
/// kernel buffers before `write` blocks. *Units*: bytes.
const LITTLE_UNACKED: u32 = BUFFER as u32 / 4;

/// The resolution of the runtime's timers.
const TICK: Duration = Duration::from_millis(1);

/// Carries packets until the network is removed.
pub(super) async fn run(generation: u64) {
    let _carrier = Carrier(generation);
    poll_fn(|cx| with(generation, |net| net.poll_carrier(cx)).unwrap_or(Poll::Ready(()))).await;
}

/// Guard of the task that carries packets: removes the timers when the task ends.
struct Carrier(u64);

impl Drop for Carrier {
    fn drop(&mut self) {
        let _ = with(self.0, |net| net.timers = None);
    }
}

/// Delivers packets that are due at the next tick. The runtime of this thread calls this before it parks: no task is
/// ready, so that time may advance.
pub(super) fn runtime_is_idle() {
    with_any(|net| {
        if net.idle_reports == IdleReports::None {
            net.idle_reports = IdleReports::Reliable;
        }
        net.is_now_current = false;
        if net.timers.is_some() && std::mem::take(&mut net.has_next) {
            // `advance` moves the clock at its first poll; the rest of it only yields to other tasks.
            let _ = pin!(advance(TICK)).poll(&mut Context::from_waker(Waker::noop()));
            net.do_due_work();
        }
    });
}

/// Makes packets wait for timers from now on, because a blocking thread starts. Time must not advance while it runs:
/// the runtime ensures that for its own timers, but not for `runtime_is_idle`.
pub(super) fn blocking_thread_starts() {
    with_any(|net| {
        (net.idle_reports, net.is_now_current) = (IdleReports::Unreliable, false);
        if std::mem::take(&mut net.has_next) {
            net.arm(net.now + TICK);
        }
    });
}

impl NetState {
    /// Polls the task that carries packets.
    fn poll_carrier(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.timers.get_or_insert_with(|| Timers::new(cx.waker())).set_waker(cx.waker());
        self.do_due_work();
        Poll::Pending
    }

    /// Does the work that is due, and schedules the next.
    fn do_due_work(&mut self) {
        (self.now, self.is_now_current) = (Instant::now(), self.relies_on_idle_reports());
        if let Some(timers) = &mut self.timers {
            timers.clear_due(self.now);
        }
        let (packets, later) = self.process_due();
        self.has_next = self.relies_on_idle_reports() && packets == Some(self.now + TICK);
        if let Some(timers) = &mut self.timers {
            timers.arm(packets.filter(|_| !self.has_next), later);
        }
    }

    /// Ensures that work due at `at` is done then.
    pub fn arm(&mut self, at: Instant) {
        if self.relies_on_idle_reports() && at == self.now + TICK {
            self.has_next = true;
        } else if let Some(timers) = &mut self.timers {
            timers.bring_forward(at);
        }
    }

    /// Does all work that is due; returns when the next packets are due, and when the next timed work is due.
    fn process_due(&mut self) -> (Option<Instant>, Option<Instant>) {
        loop {
            self.catch_up();
            while self.in_flight.front().is_some_and(|in_flight| in_flight.at <= self.now) {
                if let Some(in_flight) = self.in_flight.pop_front() {
                    self.receive(in_flight);
                }
            }
            while self.tasks.first().is_some_and(|(at, ..)| *at <= self.now) {
                match self.tasks.pop_first() {
                    Some((at, flow, end, FlowTask::Retry)) => self.retry(flow, end, at),
                    Some((_, flow, end, FlowTask::Keepalive)) => self.keep_alive(flow, end),
                    None => break,
                }
            }
            let in_flight =
                self.in_flight.iter().find(|in_flight| !self.can_wait(in_flight)).map(|in_flight| in_flight.at);
            let sent = self.unsent.filter(|unsent| unsent.is_awaited).map(|unsent| unsent.since + self.latency);
            let packets = in_flight.into_iter().chain(sent).min();
            let later = self.tasks.first().map(|(at, ..)| *at);
            if packets.into_iter().chain(later).min().is_none_or(|due| due > self.now) {
                return (packets, later);
            }
        }
    }

    /// Whether no application waits for the packet, because it acknowledges little data and nothing was lost. It is
    /// then delivered with the next due work, as of its own arrival time, so that a reply costs one instant instead
    /// of two.
    fn can_wait(&self, in_flight: &InFlight) -> bool {
        let end = in_flight.to.and_then(|(id, side)| Some(&self.flows.look(id)?.ends[side]));
        in_flight.kind == Kind::Ack && end.is_some_and(|end| end.has_no_waiter(LITTLE_UNACKED))
    }

    /// Collects packets of input given at an earlier instant, as of that instant.
    pub fn catch_up(&mut self) {
        if self.unsent.is_some_and(|unsent| unsent.since < self.now || self.latency.is_zero()) {
            self.collect(None);
        }
    }

    /// Collects and sends the kernels' packets as of the instant of their input. `calling`: the socket whose SYN is
    /// among them, with its options.
    pub fn collect(&mut self, calling: Option<(usize, SocketOptions)>) {
        let now = self.now;
        if let Some(unsent) = self.unsent.take() {
            self.now = unsent.since;
        }
        let mut sent = std::mem::take(&mut self.sent);
        self.client.emit(&mut sent);
        self.servers.emit(&mut sent);
        for packet in sent.drain(..) {
            self.judge(packet, calling);
        }
        (self.sent, self.now) = (sent, now);
    }

    /// Passes a packet that a kernel has sent to the filter; transmits it, holds it for retransmission, or drops an
    /// RST.
    pub fn judge(&mut self, packet: Packet, calling: Option<(usize, SocketOptions)>) {
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
            // The flow has been removed, because both sides are done with it. Its last packets are not filtered.
            let at = self.now + self.latency;
            return self.enqueue(InFlight::new(at, None, packet, None));
        };
        let (id, end) = (flow.id, &mut flow.ends[side]);
        if end.is_gone && kind != Kind::Rst {
            // Reading data received before an RST opens the window; the flow is reset, so the update is dropped.
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
                self.transmit_or_hold(id, side, packet);
            }
            Kind::Data | Kind::Fin if end.held.is_empty() => self.transmit_or_hold(id, side, packet),
            Kind::Data | Kind::Fin => self.hold_behind(id, side, packet),
            Kind::Ack | Kind::SynAck => match self.filter_packet(id, side, kind) {
                Verdict::Passed => self.transmit(id, side, packet),
                _ => self.hold_ack(id, side, packet),
            },
            Kind::Rst | Kind::Probe => {
                end.drop_connection();
                match self.filter_packet(id, side, kind) {
                    Verdict::Passed => self.transmit(id, side, packet),
                    // An RST is not retransmitted, but retransmissions of the other side provoke another.
                    _ => self.retry_until_answered(id, 1 - side),
                }
            }
        }
    }

    /// Returns the filter's verdict on a packet of one side, and sends the filter's reply, if there is one: RST, or
    /// for a SYN ICMP.
    pub fn filter_packet(&mut self, id: FlowId, side: usize, kind: Kind) -> Verdict {
        let Some(flow) = self.flows.get(id) else { return Verdict::Lost };
        let (from, to) = flow.addresses_from(side);
        let verdict = match *to.ip() == UNUSED_ADDRESS {
            true => Verdict::Lost,
            false => self.rules.decide(self.now, flow, side, kind),
        };
        let errno = match verdict {
            Verdict::Unreachable(errno) if kind == Kind::Syn => Some(Some(errno)),
            Verdict::Unreachable(errno) => {
                // ICMP does not end an open connection. If the connection later times out, this is its error.
                flow.ends[side].icmp = Some(errno);
                None
            }
            Verdict::Reset => Some(None),
            _ => None,
        };
        if let Some(errno) = errno {
            let (at, packet) = (self.now + self.latency, packet::reset(to, from));
            self.enqueue(InFlight::new(at, Some((id, side)), packet, errno));
        }
        let at = self.now.duration_since(self.opened);
        if let Some(trace) = &mut self.trace {
            trace.push(TracedPacket { at, from, to, kind, verdict });
        }
        verdict
    }

    /// Transmits a packet of one side that the filter has passed, after a held acknowledgement, if there is one.
    pub fn transmit(&mut self, id: FlowId, side: usize, packet: Packet) {
        let Some(flow) = self.flows.get(id) else { return };
        let at = self.now + self.latency;
        if let Some(held_ack) = flow.ends[side].held_ack.take() {
            self.transmit_in_order(at, id, side, held_ack);
        }
        self.transmit_in_order(at, id, side, packet);
    }

    /// Transmits a packet of one side so that it arrives after those in flight, which carry older acknowledgements.
    pub fn transmit_in_order(&mut self, at: Instant, id: FlowId, side: usize, packet: Packet) {
        let Some(flow) = self.flows.get(id) else { return };
        let arrives = &mut flow.ends[side].arrives;
        let at = arrives.map_or(at, |last| at.max(last));
        *arrives = Some(at);
        let is_established = flow.ends[1 - side].is_open;
        let in_flight = InFlight::new(at, Some((id, 1 - side)), packet, None);
        // A later packet replaces a pure acknowledgement in flight, but not the first one, which completes the
        // handshake.
        if is_established
            && in_flight.kind != Kind::Rst
            && let Some(last) = self.in_flight.iter().rposition(|other| other.to == in_flight.to)
            && self.in_flight[last].kind == Kind::Ack
        {
            self.in_flight.remove(last);
        }
        self.enqueue(in_flight);
    }

    /// Delivers a packet that is due.
    fn receive(&mut self, in_flight: InFlight) {
        let InFlight { at, to, kind, packet, errno } = in_flight;
        let Some((flow, side)) = to.and_then(|(id, side)| Some((self.flows.get(id)?, side))) else {
            self.deliver(packet);
            return self.note_input(true);
        };
        let (id, (own, peer)) = (flow.id, flow.addresses_from(side));
        if packet.flags.rst {
            return self.receive_reset(id, side, packet, errno);
        }
        let end = &mut flow.ends[side];
        (end.heard, end.probes) = (Some(at), 0);
        end.fin.1 |= packet.flags.fin;
        if kind == Kind::Syn && self.listeners.get(&own).is_some_and(|listener| !listener.is_open) {
            return self.judge(packet::reset(own, peer), None);
        }
        if end.is_closed && !end.is_gone && !packet.payload.is_empty() {
            // The socket is closed, so no application can read the data: the kernel answers with RST.
            self.deliver(packet::reset(peer, own));
            return self.judge(packet::reset(own, peer), None);
        }
        let (is_ack, ack) = (packet.flags.ack, packet.acknowledged);
        let reader = end.socket.filter(|_| kind != Kind::Ack);
        // No application waits for the acknowledgement of little data, and an acknowledgement is not answered.
        let answered = if kind == Kind::Data { &flow.ends[1 - side] } else { &flow.ends[side] };
        let is_known = matches!(kind, Kind::Data | Kind::Ack) && !flow.ends[side].is_gone;
        let has_no_waiter = is_known && answered.has_no_waiter(LITTLE_UNACKED);
        let end = &mut flow.ends[side];
        let has_opened = is_ack && !end.is_open;
        end.is_open |= is_ack;
        let keepalive = end.options.keepalive.filter(|_| has_opened && side == CALLER);
        if let Some(times) = keepalive {
            self.schedule(self.now + times.idle, id, side, FlowTask::Keepalive);
        }
        if is_ack {
            self.handle_ack(id, side, ack);
        }
        self.deliver(packet);
        if kind != Kind::Ack || !has_no_waiter {
            self.note_input(!has_no_waiter);
        }
        if let Some(socket) = reader {
            self.wake_reader(socket, kind == Kind::Fin);
        }
        if has_opened && self.listeners.get(&own).is_some_and(|listener| !listener.is_open) {
            self.reset_pending(own);
        }
        self.remove_if_over(id);
    }

    /// Receives an RST. `errno`: the error instead of ECONNRESET or ECONNREFUSED. Data received before are moved to
    /// the socket first, because the kernel would discard them.
    pub fn receive_reset(&mut self, id: FlowId, side: usize, packet: Packet, errno: Option<i32>) {
        let Some(flow) = self.flows.get(id) else { return };
        let end = &mut flow.ends[side];
        let (socket, has_ended, was_open) = (end.socket, end.fin.1, end.is_open);
        end.drop_connection();
        if let Some(socket) = socket {
            self.drain(socket);
            if let Some(Some(entry)) = self.sockets.get_mut(socket) {
                // A connection that was established is reset, even if its application has not seen `connect` return.
                entry.errno = errno.or(was_open.then_some(libc::ECONNRESET));
                entry.has_ended = has_ended && errno.is_none();
            }
        }
        self.deliver(packet);
        if let Some(socket) = socket {
            self.wake_reader(socket, true);
        }
        self.retry_until_answered(id, 1 - side);
        self.remove_if_over(id);
    }

    /// Removes a flow that is over for both kernels.
    pub fn remove_if_over(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        if !flow.is_over() {
            return;
        }
        // A kernel whose application has closed, but which has not received FIN, would keep its connection forever.
        let waiting = [CALLER, CALLED].map(|side| {
            let (own, peer) = flow.addresses_from(side);
            (flow.ends[side].is_closed && !flow.ends[side].fin.1).then(|| packet::reset(peer, own))
        });
        waiting.into_iter().flatten().for_each(|reset| self.deliver(reset));
        self.flows.remove(id);
    }
}
