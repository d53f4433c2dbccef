//! The slicer: splits bytes into small pieces with a pause after each, as from a sender with a tiny segment size.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::Discipline;
use super::queue::{Due, Queue};
use crate::gateway::chunk::Chunk;

pub(super) struct Slicer {
    /// Mean size of a piece, in bytes.
    average: u32,
    /// Largest deviation from the mean, in bytes.
    variation: u32,
    pause: Duration,
    chance: ChaCha8Rng,
    /// End of the pause after the last piece.
    rested: Due,
}

impl Slicer {
    pub fn new(average: u32, variation: u32, pause: Duration, chance: ChaCha8Rng, now: Instant) -> Slicer {
        Slicer { average, variation, pause, chance, rested: Due::At(now) }
    }

    /// Draws the size of the next piece, in bytes.
    fn draw(&mut self) -> usize {
        let (least, most) = (self.average.saturating_sub(self.variation), self.average.saturating_add(self.variation));
        self.chance.random_range(least..=most).max(1) as usize
    }
}

impl Discipline for Slicer {
    fn take(&mut self, chunk: Chunk, now: Instant, queue: &mut Queue) {
        // The end of a stream needs no segment of its own, so it leaves with the last piece.
        let Chunk::Data(mut bytes) = chunk else { return queue.pass(chunk, now) };
        while !bytes.is_empty() {
            let size = self.draw();
            if size < bytes.len() {
                // Without a pause no byte is late, but the connection is touched.
                queue.count(0);
            }
            let due = self.rested.max(Due::At(now));
            queue.push(Chunk::Data(bytes.split_to(size.min(bytes.len()))), now, due);
            self.rested = match due {
                Due::At(due) => Due::after(due, self.pause),
                Due::Never => Due::Never,
            };
        }
    }

    fn rate(&self) -> Option<u64> {
        let pause = self.pause.as_nanos();
        (pause > 0).then(|| (u128::from(self.average.max(1)) * 1_000_000_000 / pause) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ToxicBench, bytes, data, ms, size};
    use super::*;
    use crate::model::fault::ToxicKind;

    fn slicer(average: u32, variation: u32, pause: u64) -> ToxicKind {
        ToxicKind::Slicer { average, variation, pause: ms(pause) }
    }

    #[test]
    fn pieces_larger_than_the_bytes_change_nothing() {
        let mut bench = ToxicBench::with(slicer(1_000, 0, 0));
        bench.send([data("abc"), data("d"), Chunk::End]);
        assert_eq!(bench.arrivals(), [(ms(0), data("abc")), (ms(0), data("d")), (ms(0), Chunk::End)]);
        assert_eq!(bench.counted(), (0, 0));
    }

    #[test]
    fn a_pause_follows_each_piece_also_across_reads() {
        let mut bench = ToxicBench::with(slicer(2, 0, 10));
        bench.send([data("abc"), data("d"), Chunk::End]);
        let expected = [(ms(0), data("ab")), (ms(10), data("c")), (ms(20), data("d")), (ms(20), Chunk::End)];
        assert_eq!(bench.arrivals(), expected);
        assert_eq!(bench.counted(), (2, 1));
    }

    #[test]
    fn pieces_vary_around_their_mean_and_are_never_empty() {
        let mut bench = ToxicBench::with(slicer(100, 30, 0));
        bench.send([bytes(100_000)]);
        let arrivals = bench.arrivals();
        let (_last, pieces) = arrivals.split_last().unwrap();
        assert!(pieces.iter().all(|(_, piece)| (70..=130).contains(&piece.len())));
        assert!(pieces.iter().any(|(_, piece)| piece.len() < 75) && pieces.iter().any(|(_, piece)| piece.len() > 125));
        assert!((950..1_050).contains(&pieces.len()), "{} pieces", pieces.len());
        assert_eq!(bench.counted(), (0, 1));

        let mut bench = ToxicBench::with(slicer(0, 2, 0));
        bench.send([bytes(100)]);
        let arrivals = bench.arrivals();
        assert!(arrivals.iter().all(|(_, piece)| (1..=2).contains(&piece.len())));
        assert_eq!(size(&arrivals), 100);
    }
}
