//! What a stateful device knows of a flow, and how it comes to forget it.
//!
//! Nobody tells it that it may forget: it looks whenever a packet comes, or somebody asks what it has counted.

use std::time::Duration;

use tokio::time::Instant;

use super::super::flow::{CALLER, Flow, Tracked};
use super::super::packet::Kind;
use super::rule::{Count, EXPIRED, KEPT_ALIVE, Rule};

impl Tracked {
    /// A packet passes.
    pub fn see(&mut self, now: Instant, kind: Kind) {
        self.moved = now;
        if kind != Kind::Probe {
            self.spoke = now;
        }
        self.is_answered |= kind == Kind::SynAck;
    }
}

impl Rule {
    /// Forgets a flow on which nothing has moved for so long.
    pub fn look(&mut self, now: Instant, flow: &mut Flow, after: Duration) {
        if flow.tracked.forgotten_by.is_some() || !flow.tracked.is_answered {
            return;
        }
        // What it finds is given its time anew.
        let idle = |last: Instant| now.saturating_duration_since(last.max(self.since)) >= after;
        let client = &flow.ends[CALLER];
        if idle(flow.tracked.moved) {
            flow.tracked.forgotten_by = Some(self.id);
            // Only who still holds his socket meets the fault.
            if !client.is_closed && !client.is_gone {
                self.count(EXPIRED);
            }
        } else if idle(flow.tracked.spoke) && !flow.tracked.marks.contains(&self.id) {
            flow.tracked.marks.push(self.id);
            self.count(KEPT_ALIVE);
        }
    }
}
