//! The filter between the client's machine and its servers: what it does to packets, and what it has counted.

mod rule;
mod tracking;

use std::io;
use std::net::Ipv4Addr;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

pub(crate) use self::rule::FilterRule;
use self::rule::{Count, Rule};
use super::flow::{CALLER, Flow};
use super::packet::Kind;
use super::trace::Verdict;
use super::world::with;
use crate::model::seed::Seed;

/// The filter of a network, from anywhere on its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    generation: u64,
}

/// A rule that was put in force. It can be asked what it has counted after it was lifted, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Installed(u64);

impl Filter {
    pub(super) fn of(generation: u64) -> Filter {
        Filter { generation }
    }

    /// Puts a rule in force, before those that are. `server`: the only one that it is about; `None`: all of them.
    pub fn install(self, what: FilterRule, server: Option<Ipv4Addr>) -> io::Result<Installed> {
        with(self.generation, |world| {
            world.settle();
            let newest = world.flows.newest();
            Installed(world.rules.install(what, server, newest, world.now))
        })
    }

    /// Takes a rule away. What it has forgotten stays so.
    pub fn remove(self, imposed: Installed) -> io::Result<()> {
        with(self.generation, |world| {
            world.settle();
            world.rules.settle(world.now, world.flows.iter_mut());
            if let Some(rule) = world.rules.get(imposed.0) {
                rule.is_in_force = false;
            }
            world.rules.list();
        })
    }

    /// What a rule has counted by now, in the words of evidence.
    pub fn count(self, imposed: Installed) -> io::Result<Vec<(&'static str, u64)>> {
        with(self.generation, |world| {
            world.settle();
            world.rules.settle(world.now, world.flows.iter_mut());
            world.rules.get(imposed.0).map(|rule| rule.counts.clone()).unwrap_or_default()
        })
    }
}

/// Every rule that there has been.
pub(super) struct Rules {
    all: Vec<Rule>,
    /// Those in force, the newest first.
    in_force: Vec<usize>,
    chance: ChaCha8Rng,
}

impl Rules {
    pub fn new(seed: Seed) -> Rules {
        Rules { all: Vec::new(), in_force: Vec::new(), chance: seed.fork("packets").rng() }
    }

    fn install(&mut self, what: FilterRule, server: Option<Ipv4Addr>, newest_flow: u64, now: Instant) -> u64 {
        let id = self.all.len() as u64;
        self.all.push(Rule::new(id, what, server, newest_flow, now));
        self.list();
        id
    }

    fn get(&mut self, id: u64) -> Option<&mut Rule> {
        self.all.iter_mut().find(|rule| rule.id == id)
    }

    fn list(&mut self) {
        self.in_force.clear();
        self.in_force.extend((0..self.all.len()).rev().filter(|place| self.all[*place].is_in_force));
    }

    /// What becomes of a packet that one side of a flow has sent.
    pub fn decide(&mut self, now: Instant, flow: &mut Flow, side: usize, kind: Kind) -> Verdict {
        if self.in_force.is_empty() && flow.tracked.forgotten_by.is_none() {
            flow.tracked.see(now, kind);
            return Verdict::Passed;
        }
        for place in 0..self.in_force.len() {
            let rule = &mut self.all[self.in_force[place]];
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
        if let Some(rule) = flow.tracked.forgotten_by.and_then(|id| self.get(id)) {
            return rule.refuse_forgotten(kind);
        }
        flow.tracked.see(now, kind);
        Verdict::Passed
    }

    /// Looks which flows have been idle for too long by now.
    fn settle<'a>(&mut self, now: Instant, flows: impl Iterator<Item = &'a mut Flow>) {
        for flow in flows {
            for rule in self.all.iter_mut().filter(|rule| rule.is_in_force) {
                if let FilterRule::Forget { after, .. } = rule.what
                    && rule.concerns(flow)
                {
                    rule.look(now, flow, after);
                }
            }
        }
    }
}

impl Count for Rule {
    fn count(&mut self, what: &'static str) {
        match self.counts.iter_mut().find(|(word, _)| *word == what) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((what, 1)),
        }
    }
}

/// Whether packets of that side go to the server.
fn is_up(side: usize) -> bool {
    side == CALLER
}
