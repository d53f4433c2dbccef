//! The filter between the two machines: the rules in force, and the counters of all rules.
//!
//! A rule acts on packets only; faults that need the gateway or a server are not rules. Counters have the names that
//! the evidence uses.

mod rule;
mod tracking;

use std::io;
use std::net::Ipv4Addr;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

pub(crate) use self::rule::FilterRule;
use self::rule::{Counters, Rule};
use super::flow::{CALLER, Flow};
use super::packet::Kind;
use super::state::with;
use super::trace::Verdict;
use crate::model::seed::Seed;

/// A handle to the filter of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    generation: u64,
}

/// The handle of an installed rule. Its counters remain readable after the rule was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Installed(u64);

impl Filter {
    pub(super) fn new(generation: u64) -> Filter {
        Filter { generation }
    }

    /// Installs a rule before the existing ones. `server`: the only server whose flows it affects; `None`: all.
    ///
    /// *Errors*, also of the other methods: the simulation has ended, or runs on another thread.
    pub fn install(self, rule: FilterRule, server: Option<Ipv4Addr>) -> io::Result<Installed> {
        with(self.generation, |net| {
            net.flush();
            let newest = net.flows.newest();
            Installed(net.rules.install(rule, server, newest, net.now))
        })
    }

    /// Removes a rule. Flows that it has expired stay expired.
    pub fn remove(self, installed: Installed) -> io::Result<()> {
        with(self.generation, |net| {
            net.flush();
            net.rules.expire_idle_flows(net.now, net.flows.iter_mut());
            if let Some(rule) = net.rules.get(installed.0) {
                rule.is_in_force = false;
            }
            net.rules.update_in_force();
        })
    }

    /// Returns the counters of a rule by name.
    pub fn count(self, installed: Installed) -> io::Result<Vec<(&'static str, u64)>> {
        with(self.generation, |net| {
            net.flush();
            net.rules.expire_idle_flows(net.now, net.flows.iter_mut());
            net.rules.get(installed.0).map(|rule| rule.counts.clone()).unwrap_or_default()
        })
    }
}

/// All rules ever installed.
pub(super) struct Rules {
    all: Vec<Rule>,
    /// Indices of the rules in force, the newest first.
    in_force: Vec<usize>,
    chance: ChaCha8Rng,
}

impl Rules {
    pub fn new(seed: Seed) -> Rules {
        Rules { all: Vec::new(), in_force: Vec::new(), chance: seed.fork("packets").rng() }
    }

    fn install(&mut self, rule: FilterRule, server: Option<Ipv4Addr>, newest_flow: u64, now: Instant) -> u64 {
        let id = self.all.len() as u64;
        self.all.push(Rule::new(id, rule, server, newest_flow, now));
        self.update_in_force();
        id
    }

    fn get(&mut self, id: u64) -> Option<&mut Rule> {
        self.all.iter_mut().find(|rule| rule.id == id)
    }

    fn update_in_force(&mut self) {
        self.in_force.clear();
        self.in_force.extend((0..self.all.len()).rev().filter(|index| self.all[*index].is_in_force));
    }

    /// Returns the verdict on a packet that one side of a flow has sent: the first that a rule gives, or that of
    /// expiry.
    pub fn decide(&mut self, now: Instant, flow: &mut Flow, side: usize, kind: Kind) -> Verdict {
        if self.in_force.is_empty() && flow.tracked.expired_by.is_none() {
            flow.tracked.record_packet(now, kind);
            return Verdict::Passed;
        }
        for index in 0..self.in_force.len() {
            let rule = &mut self.all[self.in_force[index]];
            if !rule.concerns(flow) {
                continue;
            }
            let chance = &mut self.chance;
            let draw = |share: u32| chance.random_range(0..1_000_000_u32) < share;
            let verdict = rule.decide(now, flow, side, kind, draw);
            if verdict != Verdict::Passed {
                return verdict;
            }
        }
        if let Some(rule) = flow.tracked.expired_by.and_then(|id| self.get(id)) {
            return rule.refuse_expired(kind);
        }
        flow.tracked.record_packet(now, kind);
        Verdict::Passed
    }

    /// Applies the rules in force that expire idle flows.
    fn expire_idle_flows<'a>(&mut self, now: Instant, flows: impl Iterator<Item = &'a mut Flow>) {
        for flow in flows {
            for rule in self.all.iter_mut().filter(|rule| rule.is_in_force) {
                if let FilterRule::Forget { after, .. } = rule.effect
                    && rule.concerns(flow)
                {
                    rule.expire_if_idle(now, flow, after);
                }
            }
        }
    }
}

impl Counters for Rule {
    fn count(&mut self, name: &'static str) {
        match self.counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((name, 1)),
        }
    }
}

/// Whether packets of this side go to the server.
fn is_up(side: usize) -> bool {
    side == CALLER
}
