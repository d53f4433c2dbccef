//! The slow close: delays the end of the stream (FIN), but not its bytes. A FIN without TLS's close_notify is not
//! delayed.

use std::time::Duration;

use tokio::time::Instant;

use super::Discipline;
use super::queue::{Due, Queue};
use crate::gateway::chunk::Chunk;

pub(super) struct SlowClose {
    delay: Duration,
}

impl SlowClose {
    pub fn new(delay: Duration) -> SlowClose {
        SlowClose { delay }
    }
}

impl Discipline for SlowClose {
    fn take(&mut self, chunk: Chunk, now: Instant, queue: &mut Queue) {
        match chunk {
            Chunk::End => queue.push(chunk, now, Due::after(now, self.delay)),
            _ => queue.pass(chunk, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ToxicBench, data, ms};
    use super::*;
    use crate::model::fault::ToxicKind;

    fn slow_close(delay: u64) -> ToxicKind {
        ToxicKind::SlowClose { delay: ms(delay) }
    }

    #[test]
    fn no_delay_changes_nothing() {
        let mut bench = ToxicBench::with(slow_close(0));
        bench.send([data("a"), Chunk::End]);
        assert_eq!(bench.arrivals(), [(ms(0), data("a")), (ms(0), Chunk::End)]);
        assert_eq!(bench.counted(), (0, 0));
    }

    #[test]
    fn the_end_is_late_and_the_bytes_are_not() {
        let mut bench = ToxicBench::with(slow_close(300));
        bench.send([data("a")]);
        assert_eq!(bench.run_until(ms(5)), [(ms(0), data("a"))]);
        bench.send([data("b"), Chunk::End]);
        assert_eq!(bench.run_until(ms(304)), [(ms(5), data("b"))]);
        assert_eq!(bench.arrivals(), [(ms(305), Chunk::End)]);
        assert_eq!(bench.counted(), (0, 1));
    }

    #[test]
    fn failed_source_is_not_delayed() {
        let mut bench = ToxicBench::with(slow_close(300));
        bench.send([data("a"), Chunk::Failed]);
        assert_eq!(bench.arrivals(), [(ms(0), data("a")), (ms(0), Chunk::Failed)]);
    }

    #[test]
    fn healing_lets_the_end_go_at_once() {
        let mut bench = ToxicBench::with(slow_close(300));
        bench.send([Chunk::End]);
        assert_eq!(bench.run_until(ms(20)), []);
        bench.heal();
        assert_eq!(bench.arrivals(), [(ms(20), Chunk::End)]);
    }
}
