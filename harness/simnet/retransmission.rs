//! Retransmission: a kernel sends lost packets again, and gives up in the end.
//!
//! The sender holds a lost packet, and later ones wait behind it, because TCP delivers in order. The packet passes the
//! filter again at each instant at which Linux would retransmit it. Of lost acknowledgements only the newest is held;
//! it is sent again when the other side retransmits its data.
//!
//! *Source*: RFC 6298; Linux, `tcp_retries2`, `tcp_syn_retries`, `tcp_syn_linear_timeouts`, `tcp_synack_retries`,
//! `tcp_orphan_retries`, `tcp_timer.c`.

use std::time::Duration;

use tokio::time::Instant;

use super::flow::{CALLER, FlowId};
use super::packet::{self, Kind, Packet};
use super::state::{FlowTask, NetState};
use super::trace::Verdict;

/// The minimum that Linux adds to the round-trip time for the retransmission timeout.
const RTO_MIN: Duration = Duration::from_millis(200);
/// The maximum retransmission timeout of Linux, `TCP_RTO_MAX`.
const RTO_MAX: Duration = Duration::from_secs(120);
/// The first timeout in a handshake, while the round-trip time is unknown.
const RTO_FIRST: Duration = Duration::from_secs(1);

/// Retransmissions before the kernel gives up: of data, of data of a closed socket, of SYN-ACK.
const RETRIES: u32 = 15;
const ORPHAN_RETRIES: u32 = 8;
const SYN_ACK_RETRIES: u32 = 5;
/// SYNs since Linux 6.5: four more at intervals of one second, then six at doubling intervals, 131 s in all.
const SYN_LINEAR: u32 = 4;
const SYN_RETRIES: u32 = 6;

/// The number of packets behind a lost one that cause a fast retransmission (three duplicate acknowledgements).
const FAST_RETRY_BEHIND: usize = 3;

impl NetState {
    /// The retransmission timeout of a side after `retries` retransmissions.
    fn timeout(&self, side: usize, is_open: bool, retries: u32) -> Duration {
        let (first, doubled) = match (is_open, side) {
            (true, _) => (RTO_MIN + 2 * self.latency, retries),
            (false, CALLER) => (RTO_FIRST, retries.saturating_sub(SYN_LINEAR)),
            (false, _) => (RTO_FIRST, retries),
        };
        first.saturating_mul(1 << doubled.min(16)).min(RTO_MAX)
    }

    /// Transmits a packet that waits behind no other; holds it if the filter does not pass it.
    pub fn transmit_or_hold(&mut self, id: FlowId, side: usize, packet: Packet) {
        match self.filter_packet(id, side, Kind::of(&packet)) {
            Verdict::Passed => self.transmit(id, side, packet),
            verdict => {
                if let Some(flow) = self.flows.get(id) {
                    let end = &mut flow.ends[side];
                    (end.is_lost, end.by_chance) = (true, verdict == Verdict::LostByChance);
                    end.held.push_back(packet);
                }
                self.schedule_retry(id, side);
            }
        }
    }

    /// Holds a packet behind a lost one.
    pub fn hold_behind(&mut self, id: FlowId, side: usize, packet: Packet) {
        if let Some(flow) = self.flows.get(id) {
            flow.ends[side].held.push_back(packet);
            self.schedule_fast_retry(id, side);
        }
    }

    /// Holds a lost acknowledgement until the other side retransmits.
    pub fn hold_ack(&mut self, id: FlowId, side: usize, packet: Packet) {
        if let Some(flow) = self.flows.get(id) {
            flow.ends[side].held_ack = Some(packet);
            match flow.ends[1 - side].is_gone {
                true => self.retry_until_answered(id, side),
                false => self.schedule_retry(id, 1 - side),
            }
        }
    }

    /// Schedules a retransmission by `side`, if it has unacknowledged data: the peer, whose RST or acknowledgement
    /// was lost, then answers again.
    pub fn retry_until_answered(&mut self, id: FlowId, side: usize) {
        if self.flows.get(id).is_some_and(|flow| flow.ends[side].unacked_since.is_some()) {
            self.schedule_retry(id, side);
        }
    }

    /// Schedules the next retransmission, if none is scheduled.
    fn schedule_retry(&mut self, id: FlowId, side: usize) {
        let Some(flow) = self.flows.get(id) else { return };
        let end = &flow.ends[side];
        let (is_open, retries) = (end.is_open, end.retries);
        if end.retry_at.is_none() && !end.is_gone {
            self.schedule_retry_at(id, side, self.now + self.timeout(side, is_open, retries));
        }
    }

    fn schedule_retry_at(&mut self, id: FlowId, side: usize, at: Instant) {
        let Some(flow) = self.flows.get(id) else { return };
        let end = &mut flow.ends[side];
        let at = end.given_up_at().map_or(at, |latest| at.min(latest));
        end.retry_at = Some(at);
        self.schedule(at, id, side, FlowTask::Retry);
    }

    /// Retransmits the first lost packet, or data whose acknowledgement was lost; or gives up. `at`: when this was
    /// due.
    pub fn retry(&mut self, id: FlowId, side: usize, at: Instant) {
        let Some(flow) = self.flows.get(id) else { return };
        let [end, other] = match side {
            CALLER => flow.ends.each_mut(),
            _ => {
                let [caller, called] = flow.ends.each_mut();
                [called, caller]
            }
        };
        // The task was rescheduled, or is no longer necessary.
        if end.retry_at != Some(at) {
            return;
        }
        end.retry_at = None;
        let limit = match (end.is_open, end.is_closed) {
            (false, _) if side == CALLER => SYN_LINEAR + SYN_RETRIES,
            (false, _) => SYN_ACK_RETRIES,
            (true, true) => ORPHAN_RETRIES,
            (true, false) => RETRIES,
        };
        if end.retries >= limit || end.given_up_at().is_some_and(|latest| latest <= self.now) {
            let errno = end.icmp.unwrap_or(libc::ETIMEDOUT);
            return self.give_up(id, side, errno);
        }
        end.retries += 1;
        end.retried_since.get_or_insert(self.now);
        let (retries, is_open) = (end.retries, end.is_open);
        let again = match (is_open, side) {
            (true, _) => Kind::Data,
            (false, CALLER) => Kind::Syn,
            (false, _) => Kind::SynAck,
        };
        let lost = if end.is_lost { end.held.pop_front() } else { None };
        if let Some(mut packet) = lost {
            packet.update_ack(end.ack, end.window);
            end.by_chance = false;
            let kind = Kind::of(&packet);
            match self.filter_packet(id, side, kind) {
                Verdict::Passed => {
                    if let Some(flow) = self.flows.get(id) {
                        flow.ends[side].is_lost = false;
                    }
                    self.transmit(id, side, packet);
                }
                _ => {
                    if let Some(flow) = self.flows.get(id) {
                        flow.ends[side].held.push_front(packet);
                    }
                }
            }
        } else if let Some(mut answer) = other.held_ack.take() {
            answer.update_ack(other.ack, other.window);
            // The other side has the data already, and acknowledges them again.
            let answered = Kind::of(&answer);
            let has_arrived = self.filter_packet(id, side, again) == Verdict::Passed
                && self.filter_packet(id, 1 - side, answered) == Verdict::Passed;
            let at = self.now + 2 * self.latency;
            match has_arrived {
                true => self.transmit_in_order(at, id, 1 - side, answer),
                false => {
                    if let Some(flow) = self.flows.get(id) {
                        flow.ends[1 - side].held_ack = Some(answer);
                    }
                }
            }
        } else if end.unacked_since.is_none() {
            (end.retries, end.retried_since) = Default::default();
            return;
        } else if other.is_gone && self.filter_packet(id, side, again) == Verdict::Passed {
            self.answer_with_reset(id, side);
        }
        self.schedule_retry_at(id, side, self.now + self.timeout(side, is_open, retries));
    }

    /// Handles an acknowledgement of one side's data up to `ack`.
    pub fn handle_ack(&mut self, id: FlowId, side: usize, ack: u32) {
        let Some(flow) = self.flows.get(id) else { return };
        // Whether an acknowledgement newer than `ack` was lost.
        let has_lost_newer_ack = flow.ends[1 - side].held_ack.is_some();
        let end = &mut flow.ends[side];
        let advanced = ack.wrapping_sub(end.acked);
        if advanced == 0 || advanced > end.sent.wrapping_sub(end.acked) {
            if end.unacked_since.is_none() && !has_lost_newer_ack {
                // A lost window update has been delivered.
                (end.retries, end.retried_since, end.retry_at) = Default::default();
            }
            return;
        }
        end.acked = ack;
        (end.retries, end.retried_since, end.retry_at, end.icmp) = Default::default();
        end.unacked_since = (ack != end.sent).then_some(self.now);
        if !end.is_lost {
            self.send_held(id, side);
        } else if !self.schedule_fast_retry(id, side) {
            self.schedule_retry(id, side);
        }
        if has_lost_newer_ack {
            self.schedule_retry(id, side);
        }
    }

    /// Schedules a fast retransmission, if enough packets follow the lost one; returns whether they do.
    fn schedule_fast_retry(&mut self, id: FlowId, side: usize) -> bool {
        let soon = self.now + 2 * self.latency;
        let Some(flow) = self.flows.get(id) else { return false };
        let end = &flow.ends[side];
        let is_missed = end.is_lost && end.by_chance && end.retries == 0 && end.held.len() > FAST_RETRY_BEHIND;
        if is_missed && end.retry_at.is_none_or(|at| at > soon) {
            self.schedule_retry_at(id, side, soon);
        }
        is_missed
    }

    /// Sends the packets that were held behind one that has passed.
    fn send_held(&mut self, id: FlowId, side: usize) {
        loop {
            let Some(flow) = self.flows.get(id) else { return };
            let end = &mut flow.ends[side];
            let Some(mut packet) = end.held.pop_front() else { return };
            packet.update_ack(end.ack, end.window);
            let kind = Kind::of(&packet);
            let verdict = self.filter_packet(id, side, kind);
            if verdict == Verdict::Passed {
                self.transmit(id, side, packet);
                continue;
            }
            let Some(flow) = self.flows.get(id) else { return };
            let end = &mut flow.ends[side];
            end.held.push_front(packet);
            (end.is_lost, end.by_chance) = (true, verdict == Verdict::LostByChance);
            if !self.schedule_fast_retry(id, side) {
                self.schedule_retry(id, side);
            }
            return;
        }
    }

    /// Gives up a connection: the side's application gets `errno`, and its peer no packet. In a handshake both sides
    /// give up.
    pub fn give_up(&mut self, id: FlowId, side: usize, errno: i32) {
        let Some(flow) = self.flows.get(id) else { return };
        let ((own, peer), was_open) = (flow.addresses_from(side), flow.ends[side].is_open);
        if !was_open {
            // The other side of a handshake gives up as well.
            flow.ends[1 - side].drop_connection();
            self.deliver(packet::reset(own, peer));
        }
        self.receive_reset(id, side, packet::reset(peer, own), Some(errno));
    }
}
