//! The limit: passes a number of bytes, then closes the connection.

use tokio::time::Instant;

use super::Discipline;
use super::queue::Queue;
use crate::gateway::chunk::Chunk;
use crate::gateway::types::Cut;

pub(super) struct Limit {
    /// Bytes that may still pass.
    left: u64,
}

impl Limit {
    pub fn new(bytes: u64) -> Limit {
        Limit { left: bytes }
    }
}

impl Discipline for Limit {
    fn take(&mut self, chunk: Chunk, now: Instant, queue: &mut Queue) {
        let mut bytes = match chunk {
            Chunk::Data(bytes) if bytes.len() as u64 >= self.left && !bytes.is_empty() => bytes,
            _ => {
                self.left -= chunk.len() as u64;
                return queue.pass(chunk, now);
            }
        };
        let last = bytes.split_to(self.left as usize);
        self.left = 0;
        if !last.is_empty() {
            queue.pass(Chunk::Data(last), now);
        }
        queue.end(Cut::Close, now);
        // The queue has ended, so it discards and counts these bytes, and all that follow.
        queue.pass(Chunk::Data(bytes), now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ToxicBench, data, ms};
    use super::*;
    use crate::model::fault::ToxicKind;

    const CLOSE: Chunk = Chunk::Cut(Cut::Close);

    #[test]
    fn a_limit_that_is_not_reached_changes_nothing() {
        let mut bench = ToxicBench::with(ToxicKind::Limit { bytes: 5 });
        bench.send([data("ab"), data("cd"), Chunk::End]);
        assert_eq!(bench.arrivals(), [(ms(0), data("ab")), (ms(0), data("cd")), (ms(0), Chunk::End)]);
        assert_eq!(bench.counted(), (0, 0));
    }

    #[test]
    fn limit_passes_exactly_its_bytes_then_closes() {
        let mut bench = ToxicBench::with(ToxicKind::Limit { bytes: 5 });
        bench.send([data("abc"), data("defg"), data("hi"), Chunk::End]);
        assert_eq!(bench.arrivals(), [(ms(0), data("abc")), (ms(0), data("de")), (ms(0), CLOSE)]);
        assert_eq!(bench.counted(), (4, 1));

        // Reaching the limit exactly closes at once, without a further byte.
        let mut bench = ToxicBench::with(ToxicKind::Limit { bytes: 3 });
        bench.send([data("abc")]);
        assert_eq!(bench.arrivals(), [(ms(0), data("abc")), (ms(0), CLOSE)]);
        assert_eq!(bench.counted(), (0, 1));
    }

    #[test]
    fn zero_limit_closes_at_the_first_byte() {
        let mut bench = ToxicBench::with(ToxicKind::Limit { bytes: 0 });
        bench.send([data("")]);
        assert_eq!(bench.run_until(ms(1_000)), [(ms(0), data(""))]);
        bench.send([data("a")]);
        assert_eq!(bench.arrivals(), [(ms(1_000), CLOSE)]);
        assert_eq!(bench.counted(), (1, 1));
    }

    #[test]
    fn bytes_carried_before_do_not_count() {
        let mut bench = ToxicBench::default();
        bench.send([data("before")]);
        bench.install(ToxicKind::Limit { bytes: 3 });
        bench.send([data("ab")]);
        assert_eq!(bench.run_until(ms(1)), [(ms(0), data("before")), (ms(0), data("ab"))]);
        bench.send([data("cd")]);
        assert_eq!(bench.arrivals(), [(ms(1), data("c")), (ms(1), CLOSE)]);
    }
}
