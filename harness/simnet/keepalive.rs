//! TCP keepalive of idle connections.
//!
//! While data are unacknowledged, retransmission detects a dead peer, and no probe is sent. With TCP_USER_TIMEOUT, the
//! time since the last packet decides when to give up, instead of the number of probes.
//!
//! *Source*: Linux, `tcp_keepalive_timer`.

use super::flow::FlowId;
use super::packet::{self, Kind};
use super::state::{FlowTask, InFlight, NetState};
use super::trace::Verdict;

impl NetState {
    /// Sends a probe if one is due, or gives up if too many were not answered; schedules the next check.
    pub fn keep_alive(&mut self, id: FlowId, side: usize) {
        let now = self.now;
        let Some(flow) = self.flows.get(id) else { return };
        let (own, peer) = flow.addresses_from(side);
        let is_peer_gone = flow.ends[1 - side].is_gone;
        let end = &mut flow.ends[side];
        let Some(times) = end.options.keepalive.filter(|_| !end.is_gone && !end.is_closed) else { return };
        let silent = end.heard.map_or(times.idle, |heard| now.saturating_duration_since(heard));
        if end.unacked_since.is_some() {
            return self.schedule(now + times.idle, id, side, FlowTask::Keepalive);
        }
        if silent < times.idle {
            return self.schedule(now + (times.idle - silent), id, side, FlowTask::Keepalive);
        }
        let is_enough = match end.options.user_timeout {
            Some(longest) => end.probes > 0 && silent >= longest,
            None => end.probes >= times.probes,
        };
        if is_enough {
            let errno = end.icmp.unwrap_or(libc::ETIMEDOUT);
            self.judge(packet::reset(own, peer), None);
            return self.receive_reset(id, side, packet::reset(peer, own), Some(errno));
        }
        end.probes += 1;
        if self.filter_packet(id, side, Kind::Probe) == Verdict::Passed {
            if is_peer_gone {
                self.answer_with_reset(id, side);
            } else if self.filter_packet(id, 1 - side, Kind::Probe) == Verdict::Passed
                && let Some(flow) = self.flows.get(id)
            {
                (flow.ends[side].heard, flow.ends[side].probes) = (Some(now), 0);
            }
        }
        self.schedule(now + times.interval, id, side, FlowTask::Keepalive);
    }

    /// Sends `side` the RST with which a peer without this connection answers a packet that `side` sends now.
    pub fn answer_with_reset(&mut self, id: FlowId, side: usize) {
        if self.filter_packet(id, 1 - side, Kind::Rst) != Verdict::Passed {
            return;
        }
        let Some(flow) = self.flows.get(id) else { return };
        let (own, peer) = flow.addresses_from(side);
        let at = self.now + 2 * self.latency;
        let packet = packet::reset(peer, own);
        self.enqueue(InFlight::new(at, Some((id, side)), packet, None));
    }
}
