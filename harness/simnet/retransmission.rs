//! What a kernel does about packets that do not get through: it sends them again, and gives up in the end.
//!
//! A packet that is lost stays with its sender, and those behind it wait, since TCP delivers in order. It is decided upon
//! anew at each instant at which Linux would send it again. Of acknowledgements the newest is said again where data come
//! twice, which is when their sender's time has come.
//!
//! *Source*: RFC 6298; Linux, `tcp_retries2`, `tcp_syn_retries`, `tcp_syn_linear_timeouts`, `tcp_synack_retries`,
//! `tcp_orphan_retries`, `tcp_timer.c`.

use std::time::Duration;

use tokio::time::Instant;

use super::flow::{CALLER, FlowId};
use super::packet::{self, Kind, Packet};
use super::trace::Verdict;
use super::world::{Task, World};

/// What is added to a round trip before it is taken for lost.
const RTO_MIN: Duration = Duration::from_millis(200);
const RTO_MAX: Duration = Duration::from_secs(120);
/// In a handshake nothing is known of round trips yet.
const RTO_FIRST: Duration = Duration::from_secs(1);

/// How often something is sent again: data, data of nobody's any more, the answer to a SYN.
const RETRIES: u32 = 15;
const ORPHAN_RETRIES: u32 = 8;
const SYN_ACK_RETRIES: u32 = 5;
/// A SYN is sent again so many times after a second each, since Linux 6.5, and then so many times after twice as long each:
/// 131 s in all.
const SYN_LINEAR: u32 = 4;
const SYN_RETRIES: u32 = 6;

/// So many packets behind a lost one, and it is sent again before its time: three acknowledgements twice say so.
const BEHIND: usize = 3;

impl World {
    /// How long a side waits before it sends something again once more.
    fn timeout(&self, side: usize, is_open: bool, retries: u32) -> Duration {
        let (first, doubled) = match (is_open, side) {
            (true, _) => (RTO_MIN + 2 * self.latency, retries),
            (false, CALLER) => (RTO_FIRST, retries.saturating_sub(SYN_LINEAR)),
            (false, _) => (RTO_FIRST, retries),
        };
        first.saturating_mul(1 << doubled.min(16)).min(RTO_MAX)
    }

    /// A packet that nothing is waiting before.
    pub fn first_try(&mut self, id: FlowId, side: usize, packet: Packet) {
        match self.offer(id, side, Kind::of(&packet)) {
            Verdict::Passed => self.travel(id, side, packet),
            verdict => {
                if let Some(flow) = self.flows.get(id) {
                    let end = &mut flow.ends[side];
                    (end.is_lost, end.by_chance) = (true, verdict == Verdict::LostByChance);
                    end.held.push_back(packet);
                }
                self.await_retry(id, side);
            }
        }
    }

    /// A packet behind one that was lost.
    pub fn wait_behind(&mut self, id: FlowId, side: usize, packet: Packet) {
        if let Some(flow) = self.flows.get(id) {
            flow.ends[side].held.push_back(packet);
            self.is_missed(id, side);
        }
    }

    /// An acknowledgement that was lost: only what asks for it again brings it back.
    pub fn stash(&mut self, id: FlowId, side: usize, packet: Packet) {
        if let Some(flow) = self.flows.get(id) {
            flow.ends[side].stash = Some(packet);
            match flow.ends[1 - side].is_gone {
                true => self.await_answer(id, side),
                false => self.await_retry(id, 1 - side),
            }
        }
    }

    /// Sees to it that a side which has sent something hears of it, even if it was got through and answered in vain.
    pub fn await_answer(&mut self, id: FlowId, side: usize) {
        if self.flows.get(id).is_some_and(|flow| flow.ends[side].unacked_since.is_some()) {
            self.await_retry(id, side);
        }
    }

    /// Sees to it that a side sends again what it must.
    fn await_retry(&mut self, id: FlowId, side: usize) {
        let Some(flow) = self.flows.get(id) else { return };
        let end = &flow.ends[side];
        let (is_open, retries) = (end.is_open, end.retries);
        if end.retry_at.is_none() && !end.is_gone {
            self.retry_at(id, side, self.now + self.timeout(side, is_open, retries));
        }
    }

    fn retry_at(&mut self, id: FlowId, side: usize, at: Instant) {
        let Some(flow) = self.flows.get(id) else { return };
        let end = &mut flow.ends[side];
        let at = end.given_up_at().map_or(at, |latest| at.min(latest));
        end.retry_at = Some(at);
        self.schedule(at, id, side, Task::Retry);
    }

    /// Sends again what has not been acknowledged, or gives up. `at`: when this was to be done.
    pub fn retry(&mut self, id: FlowId, side: usize, at: Instant) {
        let Some(flow) = self.flows.get(id) else { return };
        let [end, other] = match side {
            CALLER => flow.ends.each_mut(),
            _ => {
                let [caller, called] = flow.ends.each_mut();
                [called, caller]
            }
        };
        // It has been put off, or is not necessary any more.
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
            packet.refresh(end.ack, end.window);
            end.by_chance = false;
            let kind = Kind::of(&packet);
            match self.offer(id, side, kind) {
                Verdict::Passed => {
                    if let Some(flow) = self.flows.get(id) {
                        flow.ends[side].is_lost = false;
                    }
                    self.travel(id, side, packet);
                }
                _ => {
                    if let Some(flow) = self.flows.get(id) {
                        flow.ends[side].held.push_front(packet);
                    }
                }
            }
        } else if let Some(mut answer) = other.stash.take() {
            answer.refresh(other.ack, other.window);
            // It has arrived, and is answered anew.
            let answered = Kind::of(&answer);
            let is_heard =
                self.offer(id, side, again) == Verdict::Passed && self.offer(id, 1 - side, answered) == Verdict::Passed;
            let at = self.now + 2 * self.latency;
            match is_heard {
                true => self.send_behind(at, id, 1 - side, answer),
                false => {
                    if let Some(flow) = self.flows.get(id) {
                        flow.ends[1 - side].stash = Some(answer);
                    }
                }
            }
        } else if end.unacked_since.is_none() {
            (end.retries, end.retried_since) = Default::default();
            return;
        } else if other.is_gone && self.offer(id, side, again) == Verdict::Passed {
            self.answer_with_reset(id, side);
        }
        self.retry_at(id, side, self.now + self.timeout(side, is_open, retries));
    }

    /// What a side has sent has been received up to there.
    pub fn acknowledged(&mut self, id: FlowId, side: usize, ack: u32) {
        let Some(flow) = self.flows.get(id) else { return };
        // Something newer has been said, and was lost.
        let is_more_said = flow.ends[1 - side].stash.is_some();
        let end = &mut flow.ends[side];
        let advanced = ack.wrapping_sub(end.acked);
        if advanced == 0 || advanced > end.sent.wrapping_sub(end.acked) {
            if end.unacked_since.is_none() && !is_more_said {
                // What asked for a window has heard of it.
                (end.retries, end.retried_since, end.retry_at) = Default::default();
            }
            return;
        }
        end.acked = ack;
        (end.retries, end.retried_since, end.retry_at, end.icmp) = Default::default();
        end.unacked_since = (ack != end.sent).then_some(self.now);
        if !end.is_lost {
            self.release(id, side);
        } else if !self.is_missed(id, side) {
            self.await_retry(id, side);
        }
        if is_more_said {
            self.await_retry(id, side);
        }
    }

    /// Whether a packet is known to be lost by those behind it; then it is sent again before its time.
    fn is_missed(&mut self, id: FlowId, side: usize) -> bool {
        let soon = self.now + 2 * self.latency;
        let Some(flow) = self.flows.get(id) else { return false };
        let end = &flow.ends[side];
        let is_missed = end.is_lost && end.by_chance && end.retries == 0 && end.held.len() > BEHIND;
        if is_missed && end.retry_at.is_none_or(|at| at > soon) {
            self.retry_at(id, side, soon);
        }
        is_missed
    }

    /// Sends what has waited behind a packet that is through now.
    fn release(&mut self, id: FlowId, side: usize) {
        loop {
            let Some(flow) = self.flows.get(id) else { return };
            let end = &mut flow.ends[side];
            let Some(mut packet) = end.held.pop_front() else { return };
            packet.refresh(end.ack, end.window);
            let kind = Kind::of(&packet);
            let verdict = self.offer(id, side, kind);
            if verdict == Verdict::Passed {
                self.travel(id, side, packet);
                continue;
            }
            let Some(flow) = self.flows.get(id) else { return };
            let end = &mut flow.ends[side];
            end.held.push_front(packet);
            (end.is_lost, end.by_chance) = (true, verdict == Verdict::LostByChance);
            if !self.is_missed(id, side) {
                self.await_retry(id, side);
            }
            return;
        }
    }

    /// A kernel gives a connection up, and tells nobody but its application.
    pub fn give_up(&mut self, id: FlowId, side: usize, errno: i32) {
        let Some(flow) = self.flows.get(id) else { return };
        let ((own, peer), was_open) = (flow.way(side), flow.ends[side].is_open);
        if !was_open {
            // The other side of a handshake gives up as well.
            flow.ends[1 - side].go();
            self.deliver(packet::reset(own, peer));
        }
        self.be_reset(id, side, packet::reset(peer, own), Some(errno));
    }
}
