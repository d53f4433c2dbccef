//! A stage: one toxic at work on one link.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::time::Instant;

use super::queue::{Due, Queue};
use super::{Discipline, begin};
use crate::gateway::chunk::Chunk;
use crate::gateway::rule::{Rule, RuleKind};
use crate::gateway::types::Direction;
use crate::model::fault::{Stream, Toxic, ToxicKind};
use crate::model::seed::Seed;

pub(super) struct Stage {
    queue: Queue,
    discipline: Box<dyn Discipline>,
}

impl Stage {
    /// The stage of a rule that begins now; `None` if the rule leaves this link alone.
    pub fn for_rule(
        rule: &Arc<Rule>,
        connection: u64,
        direction: Direction,
        seed: Seed,
        now: Instant,
    ) -> Option<Stage> {
        let RuleKind::Toxic(toxic) = rule.kind else { return None };
        // One draw for each connection: its two links are touched both, or neither.
        let seed = seed.fork(&rule.name).fork(&connection.to_string());
        if !covers_direction(toxic, direction) || !rule.covers(connection) || !is_drawn(toxic, seed) {
            return None;
        }
        let chance = seed.fork(match direction {
            Direction::Upstream => "upstream",
            Direction::Downstream => "downstream",
        });
        let mut queue = Queue::new(rule.clone(), connection);
        let discipline = begin(toxic.kind, chance.rng(), now, &mut queue);
        Some(Stage { queue, discipline })
    }

    /// Whether this is the stage of that rule.
    pub fn has_rule(&self, rule: &Rule) -> bool {
        self.queue.rule.id == rule.id
    }

    /// The rule, if it lets nothing pass.
    pub fn stalls(&self) -> Option<&Rule> {
        let RuleKind::Toxic(Toxic { kind, .. }) = self.queue.rule.kind else { return None };
        matches!(kind, ToxicKind::Stall { .. } | ToxicKind::Reset { .. }).then_some(&self.queue.rule)
    }

    /// Whether its own cut has ended the stream.
    pub fn has_ended(&self) -> bool {
        self.queue.has_ended()
    }

    pub fn take(&mut self, chunk: Chunk, now: Instant) {
        self.discipline.take(chunk, now, &mut self.queue);
    }

    /// The next chunk that is due, and its due time.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, Chunk)> {
        self.queue.pop(now)
    }

    /// When the next chunk will be due; `None` if none waits for time.
    pub fn next(&self) -> Option<Instant> {
        match self.queue.next()? {
            Due::At(due) => Some(due),
            Due::Never => None,
        }
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.queue.held()
    }

    pub fn rate(&self) -> Option<u64> {
        self.discipline.rate()
    }

    pub fn delay(&self) -> Duration {
        self.discipline.delay()
    }

    /// All held chunks, in order.
    pub fn into_chunks(self) -> impl Iterator<Item = Chunk> {
        self.queue.into_chunks()
    }
}

fn covers_direction(toxic: Toxic, direction: Direction) -> bool {
    match toxic.stream {
        Stream::Upstream => direction == Direction::Upstream,
        Stream::Downstream => direction == Direction::Downstream,
        Stream::Both => true,
    }
}

fn is_drawn(toxic: Toxic, seed: Seed) -> bool {
    seed.fork("toxicity").rng().random::<f64>() < toxic.toxicity.as_f64()
}
