//! Whether the other side is still there.
//!
//! Nothing is asked while something is unacknowledged: that is retransmission's to find out. A user timeout takes the
//! place of the number of probes.
//!
//! *Source*: Linux, `tcp_keepalive_timer`.

use super::flow::FlowId;
use super::packet::{self, Kind};
use super::trace::Verdict;
use super::world::{InFlight, Task, World};

impl World {
    /// Asks, if it is time to; gives up, if there was no answer for too long.
    pub fn keep_alive(&mut self, id: FlowId, side: usize) {
        let now = self.now;
        let Some(flow) = self.flows.get(id) else { return };
        let (own, peer) = flow.way(side);
        let is_peer_gone = flow.ends[1 - side].is_gone;
        let end = &mut flow.ends[side];
        let Some(times) = end.options.keepalive.filter(|_| !end.is_gone && !end.is_closed) else { return };
        let silent = end.heard.map_or(times.idle, |heard| now.saturating_duration_since(heard));
        if end.unacked_since.is_some() {
            return self.schedule(now + times.idle, id, side, Task::Keepalive);
        }
        if silent < times.idle {
            return self.schedule(now + (times.idle - silent), id, side, Task::Keepalive);
        }
        let is_enough = match end.options.user_timeout {
            Some(longest) => end.probes > 0 && silent >= longest,
            None => end.probes >= times.probes,
        };
        if is_enough {
            let errno = end.icmp.unwrap_or(libc::ETIMEDOUT);
            self.emitted(packet::reset(own, peer), None);
            return self.be_reset(id, side, packet::reset(peer, own), Some(errno));
        }
        end.probes += 1;
        if self.offer(id, side, Kind::Probe) == Verdict::Passed {
            if is_peer_gone {
                self.answer_with_reset(id, side);
            } else if self.offer(id, 1 - side, Kind::Probe) == Verdict::Passed
                && let Some(flow) = self.flows.get(id)
            {
                (flow.ends[side].heard, flow.ends[side].probes) = (Some(now), 0);
            }
        }
        self.schedule(now + times.interval, id, side, Task::Keepalive);
    }

    /// A host that knows nothing of the connection says so.
    pub fn answer_with_reset(&mut self, id: FlowId, side: usize) {
        if self.offer(id, 1 - side, Kind::Rst) != Verdict::Passed {
            return;
        }
        let Some(flow) = self.flows.get(id) else { return };
        let (own, peer) = flow.way(side);
        let at = self.now + 2 * self.latency;
        let packet = packet::reset(peer, own);
        self.send(InFlight::new(at, Some((id, side)), packet, None));
    }
}
