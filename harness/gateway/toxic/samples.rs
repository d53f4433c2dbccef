//! A bench for toxics: one pipeline in virtual time, and what comes out of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Pipeline;
use crate::gateway::chunk::Chunk;
use crate::gateway::rule::{Rule, RuleKind, Tally};
use crate::gateway::types::Direction;
use crate::model::fault::{Toxic, ToxicKind};
use crate::model::seed::Seed;

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn data(text: &str) -> Chunk {
    Chunk::Data(Bytes::copy_from_slice(text.as_bytes()))
}

/// So many bytes, no neighbours alike.
pub(super) fn bytes(length: usize) -> Chunk {
    Chunk::Data((0..length).map(|n| n as u8).collect())
}

/// Bytes in all.
pub(super) fn size(arrivals: &[(Duration, Chunk)]) -> usize {
    arrivals.iter().map(|(_, parcel)| parcel.len()).sum()
}

/// A rule that came before any connection.
pub(super) fn rule(id: u64, toxic: impl Into<Toxic>) -> Arc<Rule> {
    let (name, what) = (format!("toxic {id}"), RuleKind::Toxic(toxic.into()));
    Arc::new(Rule { id, name, what, newest: 0, tally: Tally::default() })
}

/// One link. Instants are told from its opening.
pub(super) struct ToxicBench {
    pub pipeline: Pipeline,
    pub rules: Vec<Arc<Rule>>,
    /// Every rule there ever was.
    pub past: Vec<Arc<Rule>>,
    pub connection: u64,
    pub direction: Direction,
    pub seed: Seed,
    pub opened: Instant,
    pub now: Instant,
}

impl Default for ToxicBench {
    fn default() -> ToxicBench {
        let now = Instant::now();
        ToxicBench {
            pipeline: Pipeline::default(),
            rules: Vec::new(),
            past: Vec::new(),
            connection: 1,
            direction: Direction::Upstream,
            seed: Seed(7),
            opened: now,
            now,
        }
    }
}

impl ToxicBench {
    pub fn with(kind: ToxicKind) -> ToxicBench {
        ToxicBench::of_connection(1, kind)
    }

    pub fn of_connection(connection: u64, kind: ToxicKind) -> ToxicBench {
        let mut bench = ToxicBench { connection, ..ToxicBench::default() };
        bench.install(kind);
        bench
    }

    pub fn install(&mut self, toxic: impl Into<Toxic>) -> Arc<Rule> {
        let rule = rule(self.past.len() as u64 + 1, toxic);
        self.past.push(rule.clone());
        self.rules.push(rule.clone());
        self.adapt();
        rule
    }

    /// Takes all rules away.
    pub fn heal(&mut self) {
        self.rules.clear();
        self.adapt();
    }

    pub fn adapt(&mut self) {
        self.pipeline.adapt(&self.rules, self.connection, self.direction, self.seed, self.now);
    }

    pub fn send(&mut self, parcels: impl IntoIterator<Item = Chunk>) {
        for parcel in parcels {
            self.pipeline.take(parcel, self.now);
        }
    }

    pub fn has_room(&self) -> bool {
        self.pipeline.has_room()
    }

    /// Lets time pass without looking.
    pub fn pass_time(&mut self, until: Duration) {
        self.now = self.opened + until;
    }

    /// What arrives up to an instant, looking whenever something is due.
    pub fn run_until(&mut self, until: Duration) -> Vec<(Duration, Chunk)> {
        let (arrived, _) = self.run(self.opened + until);
        self.pass_time(until);
        arrived
    }

    /// All that will ever arrive if nothing else happens.
    pub fn arrivals(&mut self) -> Vec<(Duration, Chunk)> {
        let (arrived, next) = self.run(self.opened + Duration::from_secs(1 << 32));
        assert_eq!(next, None, "something is due in a century");
        arrived
    }

    fn run(&mut self, until: Instant) -> (Vec<(Duration, Chunk)>, Option<Instant>) {
        let mut arrived = Vec::new();
        loop {
            let mut out = VecDeque::new();
            let next = self.pipeline.give(self.now, &mut out);
            arrived.extend(out.into_iter().map(|parcel| (self.now - self.opened, parcel)));
            match next {
                Some(next) if next <= until => {
                    assert!(next > self.now, "what is due is given");
                    self.now = next;
                }
                _ => return (arrived, next),
            }
        }
    }

    /// Bytes and connections that all rules there ever were have touched.
    pub fn counted(&self) -> (u64, u64) {
        self.past
            .iter()
            .fold((0, 0), |(bytes, strikes), rule| (bytes + rule.tally.bytes(), strikes + rule.tally.strikes()))
    }
}
