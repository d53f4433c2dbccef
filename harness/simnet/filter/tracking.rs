//! The connection tracking of a stateful device: activity and expiry of flows.
//!
//! No timer runs: expiry is checked when a packet passes, when a rule is removed, and when counters are read.

use std::time::Duration;

use tokio::time::Instant;

use super::super::flow::{CALLER, Flow, Tracked};
use super::super::packet::Kind;
use super::rule::{Counters, FLOWS_EXPIRED, FLOWS_KEPT_ALIVE, Rule};

impl Tracked {
    /// Records a packet that passes.
    pub fn record_packet(&mut self, now: Instant, kind: Kind) {
        self.last_packet = now;
        if kind != Kind::Probe {
            self.last_non_probe = now;
        }
        self.is_answered |= kind == Kind::SynAck;
    }
}

impl Rule {
    /// Expires an established flow without packets for `after`; counts it once if only keepalive probes prevented
    /// that.
    pub fn expire_if_idle(&mut self, now: Instant, flow: &mut Flow, after: Duration) {
        if flow.tracked.expired_by.is_some() || !flow.tracked.is_answered {
            return;
        }
        // The idle time of flows older than the rule counts from the rule's installation.
        let idle = |last: Instant| now.saturating_duration_since(last.max(self.since)) >= after;
        let client = &flow.ends[CALLER];
        if idle(flow.tracked.last_packet) {
            flow.tracked.expired_by = Some(self.id);
            // Evidence counts only flows whose client socket is open, because others cannot affect the client.
            if !client.is_closed && !client.is_gone {
                self.count(FLOWS_EXPIRED);
            }
        } else if idle(flow.tracked.last_non_probe) && !flow.tracked.marks.contains(&self.id) {
            flow.tracked.marks.push(self.id);
            self.count(FLOWS_KEPT_ALIVE);
        }
    }
}
