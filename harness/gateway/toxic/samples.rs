//! Test bench for toxics: one pipeline, a time that the test advances, and the output.

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

/// Makes a chunk of `length` bytes in which neighbours differ.
pub(super) fn bytes(length: usize) -> Chunk {
    Chunk::Data((0..length).map(|n| n as u8).collect())
}

/// Returns the number of bytes in all arrivals.
pub(super) fn size(arrivals: &[(Duration, Chunk)]) -> usize {
    arrivals.iter().map(|(_, chunk)| chunk.len()).sum()
}

/// Makes a rule that was installed before any connection.
pub(super) fn rule(id: u64, toxic: impl Into<Toxic>) -> Arc<Rule> {
    let (name, kind) = (format!("toxic {id}"), RuleKind::Toxic(toxic.into()));
    Arc::new(Rule { id, name, kind, newest: 0, tally: Tally::default() })
}

/// One link. Times are relative to its opening.
pub(super) struct ToxicBench {
    pub pipeline: Pipeline,
    pub rules: Vec<Arc<Rule>>,
    /// Every rule ever installed.
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

    /// Removes all rules.
    pub fn heal(&mut self) {
        self.rules.clear();
        self.adapt();
    }

    pub fn adapt(&mut self) {
        self.pipeline.adapt(&self.rules, self.connection, self.direction, self.seed, self.now);
    }

    pub fn send(&mut self, chunks: impl IntoIterator<Item = Chunk>) {
        for chunk in chunks {
            self.pipeline.take(chunk, self.now);
        }
    }

    pub fn has_room(&self) -> bool {
        self.pipeline.has_room()
    }

    /// Advances time without polling.
    pub fn pass_time(&mut self, until: Duration) {
        self.now = self.opened + until;
    }

    /// Polls whenever a chunk is due, up to a time; returns the arrivals.
    pub fn run_until(&mut self, until: Duration) -> Vec<(Duration, Chunk)> {
        let (arrived, _) = self.run(self.opened + until);
        self.pass_time(until);
        arrived
    }

    /// Polls until no chunk is due any more; returns the arrivals.
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
            arrived.extend(out.into_iter().map(|chunk| (self.now - self.opened, chunk)));
            match next {
                Some(next) if next <= until => {
                    assert!(next > self.now, "what is due is given");
                    self.now = next;
                }
                _ => return (arrived, next),
            }
        }
    }

    /// Returns the bytes and connections counted by all rules ever installed.
    pub fn counted(&self) -> (u64, u64) {
        self.past
            .iter()
            .fold((0, 0), |(bytes, strikes), rule| (bytes + rule.tally.bytes(), strikes + rule.tally.strikes()))
    }
}
