use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;
use super::link::Direction;
use super::parcel::Parcel;
use super::rule::Rule;
use crate::seed::Seed;
#[derive(Default)]
pub(super) struct Pipeline {}
impl Pipeline {
    pub fn is_empty(&self) -> bool { true }
    pub fn stalls(&self) -> Option<&Rule> { None }
    pub fn adapt(&mut self, _rules: &[Arc<Rule>], _connection: u64, _direction: Direction, _seed: Seed, _now: Instant) {}
    pub fn take(&mut self, _parcel: Parcel, _now: Instant) {}
    pub fn has_room(&self) -> bool { true }
    pub fn give(&mut self, _now: Instant, _out: &mut VecDeque<Parcel>) -> Option<Instant> { None }
}
