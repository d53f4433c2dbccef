//! The toxics of one link, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::stage::Stage;
use crate::gateway::chunk::Chunk;
use crate::gateway::rule::Rule;
use crate::gateway::types::Direction;
use crate::model::seed::Seed;

/// Bytes that every pipeline may hold: one read. Small enough that a slow or stalled link blocks its sender.
const ROOM: usize = 64 << 10;

/// Most bytes that a pipeline may hold beyond one read: enough for 500 MB/s, a fast loopback, with a delay of 50 ms
/// (25 MB) and some jitter.
const LARGEST_ROOM: usize = 32 << 20;

/// How late a link may be polled: tokio's timer is exact to 1 ms, the kernel's to dozens of microseconds, and the
/// machine may be busy. A slow link must hold the bytes of this time to keep its rate.
const LATENESS: Duration = Duration::from_millis(10);

/// The toxics of one link, in the order in which it received them: the output of one is the input of the next.
///
/// Chunks move between stages at the instant at which they were due, even if the link polls late: the schedule depends
/// only on the input, its timing and the seed.
#[derive(Default)]
pub(crate) struct Pipeline {
    stages: Vec<Stage>,
    /// Chunks past the last stage, not yet taken.
    ready: VecDeque<Chunk>,
    /// Bytes that the stages may hold before the link stops reading.
    room: usize,
}

impl Pipeline {
    /// Whether chunks can bypass the pipeline: it has no toxic, and holds no chunk.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.ready.is_empty()
    }

    /// Returns the rule of the first stall or reset: such a rule also holds back chunks that have passed the other
    /// toxics.
    pub fn stalls(&self) -> Option<&Rule> {
        self.stages.iter().find_map(Stage::stalls)
    }

    /// Whether a stall or reset has cut the connection; the cut does not wait until the target takes earlier chunks.
    pub fn has_stalled_to_the_end(&self) -> bool {
        self.stages.iter().any(|stage| stage.stalls().is_some() && stage.has_ended())
    }

    /// Applies the rules in force.
    ///
    /// A stage whose rule is removed passes all its chunks, in order, to the next stage at once: only bytes that the
    /// toxic has already discarded are lost. A new rule gets a stage at the end, even if it replaces another rule. The
    /// other stages are not affected.
    pub fn adapt(&mut self, rules: &[Arc<Rule>], connection: u64, direction: Direction, seed: Seed, now: Instant) {
        // Chunks due before now belong to the old rules.
        self.advance(now);
        // Backwards, so that no chunk moves into a stage that is removed as well.
        for index in (0..self.stages.len()).rev() {
            if !rules.iter().any(|rule| self.stages[index].has_rule(rule)) {
                for chunk in self.stages.remove(index).into_chunks() {
                    self.put(index, chunk, now);
                }
            }
        }
        for rule in rules {
            if !self.stages.iter().any(|stage| stage.has_rule(rule)) {
                self.stages.extend(Stage::for_rule(rule, connection, direction, seed, now));
            }
        }
        self.room = self.room_needed();
    }

    /// Adds a chunk that was just read.
    pub fn take(&mut self, chunk: Chunk, now: Instant) {
        self.put(0, chunk, now);
    }

    /// Whether to read on: the stages hold less than they may.
    pub fn has_room(&self) -> bool {
        self.stages.is_empty() || self.stages.iter().map(Stage::held).sum::<usize>() < self.room
    }

    /// Moves due chunks to `out`, in order; returns when to poll next, `None` if no chunk will become due. At that
    /// instant a chunk may move to the next stage only.
    pub fn give(&mut self, now: Instant, out: &mut VecDeque<Chunk>) -> Option<Instant> {
        self.advance(now);
        out.append(&mut self.ready);
        self.stages.iter().filter_map(Stage::next).min()
    }

    /// Moves each chunk through all stages at which it is due.
    fn advance(&mut self, now: Instant) {
        for index in 0..self.stages.len() {
            while let Some((due, chunk)) = self.stages[index].pop(now) {
                self.put(index + 1, chunk, due);
            }
        }
    }

    /// Puts a chunk into the stage at `index`, or behind the last one.
    fn put(&mut self, index: usize, chunk: Chunk, now: Instant) {
        match self.stages.get_mut(index) {
            Some(stage) => stage.take(chunk, now),
            None => self.ready.push_back(chunk),
        }
    }

    /// Returns one read, plus the bytes in flight through all delays at the rate of the slowest stage; without a
    /// limited rate the maximum.
    fn room_needed(&self) -> usize {
        let Some(rate) = self.stages.iter().filter_map(Stage::rate).min() else { return ROOM + LARGEST_ROOM };
        let delay = self.stages.iter().fold(LATENESS, |sum, stage| sum.saturating_add(stage.delay()));
        let under_way = delay.as_micros().saturating_mul(u128::from(rate)) / 1_000_000;
        ROOM + usize::try_from(under_way).unwrap_or(LARGEST_ROOM).min(LARGEST_ROOM)
    }
}
