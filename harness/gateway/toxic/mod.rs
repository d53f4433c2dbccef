//! Toxics: decide when the link may send the bytes that it has read. Pure scheduling: no task, no socket, no clock;
//! every call takes the time as an argument.
//!
//! A [`Pipeline`] holds the toxics of one link. Each of its stages is a [`Queue`] of chunks with the instants at which
//! they are due, and a [`Discipline`] that decides these instants; each toxic has its file. The link reads, writes and
//! waits.

mod bandwidth;
mod hold;
mod latency;
mod limit;
mod pipeline;
mod queue;
mod reset;
mod slicer;
mod slow_close;
mod stage;
mod stall;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use self::queue::Queue;
use super::chunk::Chunk;
use crate::model::fault::ToxicKind;

pub(super) use self::pipeline::Pipeline;

/// How a toxic treats its queue; named after the kernel's queueing disciplines, which do the same to packets.
trait Discipline: Send {
    /// Puts a chunk into the queue, whole or in pieces, or discards it.
    fn take(&mut self, chunk: Chunk, now: Instant, queue: &mut Queue);

    /// Returns the bytes per second that pass in the long run; `None`: unlimited.
    fn rate(&self) -> Option<u64> {
        None
    }

    /// Returns the longest delay of a byte, without the delay that the rate causes.
    fn delay(&self) -> Duration {
        Duration::ZERO
    }
}

/// Starts the discipline of a toxic.
fn begin(kind: ToxicKind, chance: ChaCha8Rng, now: Instant, queue: &mut Queue) -> Box<dyn Discipline> {
    match kind {
        ToxicKind::Latency { delay, jitter } => Box::new(latency::Latency::new(delay, jitter, chance)),
        ToxicKind::Bandwidth { bytes_per_second } => Box::new(bandwidth::Bandwidth::new(bytes_per_second, now)),
        ToxicKind::Slicer { average, variation, pause } => {
            Box::new(slicer::Slicer::new(average, variation, pause, chance, now))
        }
        ToxicKind::Limit { bytes } => Box::new(limit::Limit::new(bytes)),
        ToxicKind::Stall { close_after } => Box::new(stall::begin(close_after, now, queue)),
        ToxicKind::SlowClose { delay } => Box::new(slow_close::SlowClose::new(delay)),
        ToxicKind::Reset { after } => Box::new(reset::begin(after, now, queue)),
    }
}
