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
    /// Makes the stage of a rule that begins now; `None` if the rule does not affect this link.
    pub fn for_rule(
        rule: &Arc<Rule>,
        connection: u64,
        direction: Direction,
        seed: Seed,
        now: Instant,
    ) -> Option<Stage> {
        let RuleKind::Toxic(toxic) = rule.kind else { return None };
        // One draw for each connection, so that a toxic touches both of its links, or neither.
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

    /// Returns the rule if it is a stall or a reset.
    pub fn stalls(&self) -> Option<&Rule> {
        let RuleKind::Toxic(Toxic { kind, .. }) = self.queue.rule.kind else { return None };
        matches!(kind, ToxicKind::Stall { .. } | ToxicKind::Reset { .. }).then_some(&self.queue.rule)
    }

    /// Whether the cut of this stage has ended the stream.
    pub fn has_ended(&self) -> bool {
        self.queue.has_ended()
    }

    pub fn take(&mut self, chunk: Chunk, now: Instant) {
        self.discipline.take(chunk, now, &mut self.queue);
    }

    /// Takes the next chunk that is due; returns it with its due time.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, Chunk)> {
        self.queue.pop(now)
    }

    /// Returns when the next chunk will be due; `None` if no chunk will before the rule is removed.
    pub fn next(&self) -> Option<Instant> {
        match self.queue.next()? {
            Due::At(due) => Some(due),
            Due::Never => None,
        }
    }

    /// Returns the number of bytes held.
    pub fn held(&self) -> usize {
        self.queue.held()
    }

    pub fn rate(&self) -> Option<u64> {
        self.discipline.rate()
    }

    pub fn delay(&self) -> Duration {
        self.discipline.delay()
    }

    /// Returns all held chunks, in order.
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
