//! The common part of stall and reset: holds all chunks until the rule is removed, or until the toxic cuts the
//! connection.

use std::time::Duration;

use tokio::time::Instant;

use super::Discipline;
use super::queue::{Due, Queue};
use crate::gateway::chunk::Chunk;
use crate::gateway::types::Cut;

pub(super) struct Hold;

impl Hold {
    /// Starts to hold chunks; `end`: after how long the connection is cut, and how.
    pub fn begin(end: Option<(Duration, Cut)>, now: Instant, queue: &mut Queue) -> Hold {
        if let Some((after, cut)) = end {
            queue.end_at(Due::after(now, after), cut);
        }
        Hold
    }
}

impl Discipline for Hold {
    fn take(&mut self, chunk: Chunk, now: Instant, queue: &mut Queue) {
        queue.hold(chunk, now);
    }

    fn rate(&self) -> Option<u64> {
        Some(0)
    }
}
