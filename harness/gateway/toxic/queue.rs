//! The queue of a stage: chunks in order, each with its due time, and the tally of the rule.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::chunk::Chunk;
use crate::gateway::rule::Rule;
use crate::gateway::types::Cut;

/// When a chunk may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    At(Instant),
    /// Not before the rule is removed.
    Never,
}

impl Due {
    /// Returns the instant after a delay; never, if it exceeds the clock's range.
    pub fn after(now: Instant, delay: Duration) -> Due {
        now.checked_add(delay).map_or(Due::Never, Due::At)
    }
}

/// First in, first out: due times never go backwards.
pub(super) struct Queue {
    pub rule: Arc<Rule>,
    connection: u64,
    waiting: VecDeque<(Due, Chunk)>,
    /// Due time of the newest chunk; no later chunk is due before it.
    latest: Option<Due>,
    /// Bytes held.
    held: usize,
    /// The scheduled end of the connection; chunks still queued then are lost.
    cut: Option<(Due, Cut)>,
    /// A cut has ended the stream: later chunks are lost.
    ended: bool,
    /// The connection is already counted as touched by the rule.
    counted: bool,
}

impl Queue {
    pub fn new(rule: Arc<Rule>, connection: u64) -> Queue {
        Queue {
            rule,
            connection,
            waiting: VecDeque::new(),
            latest: None,
            held: 0,
            cut: None,
            ended: false,
            counted: false,
        }
    }

    /// Adds a chunk that is due at once, or together with the chunk before it.
    pub fn pass(&mut self, chunk: Chunk, now: Instant) {
        self.push(chunk, now, Due::At(now));
    }

    /// Holds a chunk until the rule is removed.
    pub fn hold(&mut self, chunk: Chunk, now: Instant) {
        self.push(chunk, now, Due::Never);
    }

    /// Adds a chunk that is due at `due`, or later together with the chunk before it.
    pub fn push(&mut self, chunk: Chunk, now: Instant, due: Due) {
        if self.ended {
            return self.count(chunk.len());
        }
        let due = self.latest.map_or(due, |latest| latest.max(due));
        if due > Due::At(now) {
            self.count(chunk.len());
        }
        self.latest = Some(due);
        self.held += chunk.len();
        self.waiting.push_back((due, chunk));
    }

    /// Ends the stream behind the chunks in the queue.
    pub fn end(&mut self, cut: Cut, now: Instant) {
        self.count(0);
        self.pass(Chunk::Cut(cut), now);
        self.ended = true;
    }

    /// Ends the stream at `due`; chunks still queued then are lost.
    pub fn end_at(&mut self, due: Due, cut: Cut) {
        self.cut = Some((due, cut));
    }

    /// Counts the connection as touched, and bytes as delayed, held or lost.
    pub fn count(&mut self, bytes: usize) {
        self.rule.tally.count_bytes(bytes);
        if !self.counted {
            self.counted = true;
            self.rule.tally.count_connection(self.connection);
        }
    }

    /// Takes the next chunk that is due, or the scheduled cut; returns it with its due time.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, Chunk)> {
        let Due::At(due) = self.next()? else { return None };
        if due > now {
            return None;
        }
        if self.waiting.front().is_some_and(|(front, _)| *front == Due::At(due)) {
            let (_, chunk) = self.waiting.pop_front()?;
            self.held -= chunk.len();
            return Some((due, chunk));
        }
        let (_, cut) = self.cut.take()?;
        self.count(0);
        self.waiting.clear();
        self.held = 0;
        self.ended = true;
        Some((due, Chunk::Cut(cut)))
    }

    /// Returns when the next chunk or the cut is due; `None`: the queue is empty and no cut is scheduled.
    pub fn next(&self) -> Option<Due> {
        let front = self.waiting.front().map(|(due, _)| *due);
        front.into_iter().chain(self.cut.map(|(due, _)| due)).min()
    }

    /// Returns the number of bytes held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether a cut has ended the stream.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns all queued chunks, in order.
    pub fn into_chunks(self) -> impl Iterator<Item = Chunk> {
        self.waiting.into_iter().map(|(_, chunk)| chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{data, ms, rule};
    use super::*;
    use crate::model::fault::ToxicKind;

    fn queue() -> (Queue, Instant) {
        (Queue::new(rule(1, ToxicKind::Limit { bytes: 0 }), 1), Instant::now())
    }

    #[test]
    fn dues_never_go_backwards() {
        let (mut queue, now) = queue();
        for delay in [30, 10, 40, 0] {
            queue.push(data("a"), now, Due::after(now, ms(delay)));
        }
        queue.hold(data("a"), now);
        queue.push(data("a"), now, Due::At(now));
        let dues: Vec<_> = std::iter::from_fn(|| queue.pop(now + ms(1_000))).map(|(due, _)| due - now).collect();
        assert_eq!(dues, [30, 30, 40, 40].map(ms));
        assert_eq!(queue.next(), Some(Due::Never));
        assert_eq!(queue.held(), 2);
    }

    #[test]
    fn nothing_is_given_before_it_is_due() {
        let (mut queue, now) = queue();
        queue.push(data("a"), now, Due::after(now, ms(1)));
        assert_eq!(queue.pop(now + ms(1) - Duration::from_nanos(1)), None);
        assert_eq!(queue.pop(now + ms(1)), Some((now + ms(1), data("a"))));
    }

    #[test]
    fn a_time_that_no_clock_reaches_is_never() {
        let (mut queue, now) = queue();
        queue.push(data("a"), now, Due::after(now, Duration::MAX));
        assert_eq!(queue.next(), Some(Due::Never));
    }

    #[test]
    fn cut_spares_earlier_chunks_and_drops_the_rest() {
        let (mut queue, now) = queue();
        queue.end_at(Due::after(now, ms(20)), Cut::Reset);
        queue.push(data("gone"), now, Due::after(now, ms(20)));
        queue.push(data("lost"), now, Due::after(now, ms(21)));
        let all: Vec<_> = std::iter::from_fn(|| queue.pop(now + ms(1_000))).map(|(_, chunk)| chunk).collect();
        assert_eq!(all, [data("gone"), Chunk::Cut(Cut::Reset)]);
        assert_eq!((queue.next(), queue.held()), (None, 0));
    }
}
