//! The reset: sends RST to both sides after a delay, also on idle connections; holds all bytes until then.

use std::time::Duration;

use tokio::time::Instant;

use super::hold::Hold;
use super::queue::Queue;
use crate::gateway::types::Cut;

pub(super) fn begin(after: Duration, now: Instant, queue: &mut Queue) -> Hold {
    Hold::begin(Some((after, Cut::Reset)), now, queue)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ToxicBench, data, ms};
    use super::*;
    use crate::gateway::chunk::Chunk;
    use crate::model::fault::ToxicKind;

    const RESET: Chunk = Chunk::Cut(Cut::Reset);

    fn reset(after: u64) -> ToxicKind {
        ToxicKind::Reset { after: ms(after) }
    }

    #[test]
    fn an_idle_connection_is_reset_too_once_and_on_time() {
        for after in [0, 100] {
            let mut bench = ToxicBench::with(reset(after));
            assert_eq!(bench.run_until(ms(10_000)), [(ms(after), RESET)]);
            assert_eq!(bench.counted(), (0, 1));
        }
    }

    #[test]
    fn nothing_passes_before_the_reset_and_held_bytes_are_lost() {
        for end in [Chunk::End, Chunk::Failed] {
            let mut bench = ToxicBench::with(reset(100));
            bench.send([data("lost"), end]);
            bench.run_until(ms(99));
            bench.send([data("as well")]);
            assert_eq!(bench.arrivals(), [(ms(100), RESET)]);
            assert_eq!(bench.counted(), (11, 1));
        }
    }

    #[test]
    fn early_heal_delivers_held_bytes_without_reset() {
        let mut bench = ToxicBench::default();
        bench.run_until(ms(10));
        bench.install(reset(100));
        bench.send([data("kept"), Chunk::End]);
        assert_eq!(bench.run_until(ms(109)), []);
        bench.heal();
        assert_eq!(bench.run_until(ms(500)), [(ms(109), data("kept")), (ms(109), Chunk::End)]);
    }

    #[test]
    fn healed_too_late_it_has_reset() {
        let mut bench = ToxicBench::with(reset(100));
        bench.send([data("lost")]);
        // The link was not polled in between: the delay was over before the rule was removed.
        bench.pass_time(ms(150));
        bench.heal();
        assert_eq!(bench.arrivals(), [(ms(150), RESET)]);
    }
}
