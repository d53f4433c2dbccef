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

/// What every pipeline may hold, in bytes: one read. So little that a sender behind a slow or stalled link feels it.
const ROOM: usize = 64 << 10;

/// What a pipeline may hold at most, in bytes, beyond one read: 500 MB/s, a fast loopback, fit through 50 ms (25 MB),
/// and through some jitter.
const LARGEST_ROOM: usize = 32 << 20;

/// How late a link may be woken: tokio's timer is exact to 1 ms, and the machine may be busy. A slow link needs so much
/// in hand in order to be no slower than it should be.
const LATENESS: Duration = Duration::from_millis(10);

/// The toxics at work on one link, in the order in which they came: what one lets go, the next one takes.
///
/// What goes from stage to stage does so at the instant at which it was due, however late the link looks: the schedule
/// depends on what came and when, and on the seed, and on nothing else.
#[derive(Default)]
pub(crate) struct Pipeline {
    stages: Vec<Stage>,
    /// Has left the last stage, and waits to be taken out.
    ready: VecDeque<Chunk>,
    /// What the stages may hold, in bytes.
    room: usize,
}

impl Pipeline {
    /// Whether parcels may as well go around it: there is no toxic, and nothing is left inside.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.ready.is_empty()
    }

    /// The stall at work here, or the reset that is to come, if there is one: it holds back what has left the other
    /// toxics too.
    pub fn stalls(&self) -> Option<&Rule> {
        self.stages.iter().find_map(Stage::stalls)
    }

    /// Whether the time of such a toxic is over, and the cut has come with which it ends: that waits for nobody.
    pub fn has_stalled_to_the_end(&self) -> bool {
        self.stages.iter().any(|stage| stage.stalls().is_some() && stage.has_ended())
    }

    /// Adapts to the rules in force.
    ///
    /// A stage whose rule is gone lets go at once of all it holds, in order, into the next stage: nothing is lost that
    /// the toxic had not destroyed before. A new rule gets a stage at the end. The others go on undisturbed.
    pub fn adapt(&mut self, rules: &[Arc<Rule>], connection: u64, direction: Direction, seed: Seed, now: Instant) {
        // What was due before is none of the new rules' business, and was still the old rules'.
        self.advance(now);
        // From the end, so that nothing is let go into a stage that is about to go as well.
        for index in (0..self.stages.len()).rev() {
            if !rules.iter().any(|rule| self.stages[index].is_of(rule)) {
                for parcel in self.stages.remove(index).into_parcels() {
                    self.put(index, parcel, now);
                }
            }
        }
        for rule in rules {
            if !self.stages.iter().any(|stage| stage.is_of(rule)) {
                self.stages.extend(Stage::of(rule, connection, direction, seed, now));
            }
        }
        self.room = self.room_needed();
    }

    /// Puts in what has just been read.
    pub fn take(&mut self, parcel: Chunk, now: Instant) {
        self.put(0, parcel, now);
    }

    /// Whether the source may be read on: what is held is below what this pipeline may hold.
    pub fn has_room(&self) -> bool {
        self.stages.is_empty() || self.stages.iter().map(Stage::held).sum::<usize>() < self.room
    }

    /// Hands out what is due, in order; returns when more will be, `None` if nothing waits for time. What is due then
    /// may be due to the next stage only, and nothing may come of it yet.
    pub fn give(&mut self, now: Instant, out: &mut VecDeque<Chunk>) -> Option<Instant> {
        self.advance(now);
        out.append(&mut self.ready);
        self.stages.iter().filter_map(Stage::next).min()
    }

    /// Moves everything as far as it gets by now.
    fn advance(&mut self, now: Instant) {
        for index in 0..self.stages.len() {
            while let Some((due, parcel)) = self.stages[index].pop(now) {
                self.put(index + 1, parcel, due);
            }
        }
    }

    /// Puts a parcel into a stage, or out if there is none.
    fn put(&mut self, index: usize, parcel: Chunk, now: Instant) {
        match self.stages.get_mut(index) {
            Some(stage) => stage.take(parcel, now),
            None => self.ready.push_back(parcel),
        }
    }

    /// One read, and as much as is under way through all delays at the rate of the slowest stage.
    fn room_needed(&self) -> usize {
        let Some(rate) = self.stages.iter().filter_map(Stage::rate).min() else { return ROOM + LARGEST_ROOM };
        let delay = self.stages.iter().fold(LATENESS, |sum, stage| sum.saturating_add(stage.delay()));
        let under_way = delay.as_micros().saturating_mul(u128::from(rate)) / 1_000_000;
        ROOM + usize::try_from(under_way).unwrap_or(LARGEST_ROOM).min(LARGEST_ROOM)
    }
}
