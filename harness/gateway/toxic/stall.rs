//! The stall: the gateway accepts bytes, its kernel acknowledges them, and they are not forwarded.
//!
//! A frozen peer looks the same from outside: its kernel accepts bytes until its buffers are full. When the peer
//! continues, it reads them, even if their sender has closed the connection.

use std::time::Duration;

use tokio::time::Instant;

use super::hold::Hold;
use super::queue::Queue;
use crate::gateway::types::Cut;

pub(super) fn begin(close_after: Option<Duration>, now: Instant, queue: &mut Queue) -> Hold {
    Hold::begin(close_after.map(|after| (after, Cut::Close)), now, queue)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ToxicBench, bytes, data, ms};
    use super::*;
    use crate::gateway::chunk::Chunk;
    use crate::model::fault::ToxicKind;

    const STALL: ToxicKind = ToxicKind::Stall { close_after: None };

    #[test]
    fn everything_is_held_and_delivered_in_order_on_heal() {
        for end in [Chunk::End, Chunk::Failed] {
            let mut bench = ToxicBench::with(STALL);
            bench.send([data("a")]);
            bench.run_until(ms(10));
            bench.send([data("b"), end.clone()]);
            assert_eq!(bench.run_until(ms(60_000)), []);
            assert_eq!(bench.counted(), (2, 1));
            bench.heal();
            let at = ms(60_000);
            assert_eq!(bench.arrivals(), [(at, data("a")), (at, data("b")), (at, end)]);
        }
    }

    #[test]
    fn stall_ignores_passed_bytes_and_idle_connections() {
        let mut bench = ToxicBench::default();
        bench.send([data("before")]);
        bench.install(STALL);
        assert_eq!(bench.run_until(ms(1_000)), [(ms(0), data("before"))]);
        assert_eq!(bench.counted(), (0, 0));
    }

    #[test]
    fn the_source_is_read_until_one_read_is_held() {
        let mut bench = ToxicBench::with(STALL);
        bench.send([bytes(65_535)]);
        assert!(bench.has_room());
        bench.send([data("a")]);
        assert!(!bench.has_room());
    }

    #[test]
    fn stall_with_close_after_closes_and_loses_held_bytes() {
        let mut bench = ToxicBench::with(ToxicKind::Stall { close_after: Some(ms(100)) });
        bench.send([data("lost")]);
        bench.run_until(ms(50));
        bench.send([Chunk::End]);
        assert_eq!(bench.run_until(ms(200)), [(ms(100), Chunk::Cut(Cut::Close))]);
        bench.send([data("too late")]);
        bench.heal();
        assert_eq!(bench.arrivals(), []);
        assert_eq!(bench.counted(), (12, 1));
    }
}
