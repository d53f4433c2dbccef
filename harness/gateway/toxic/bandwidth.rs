//! Bandwidth: passes bytes at a fixed rate, without bursts after idle time. A rate of zero holds everything.

use std::time::Duration;

use tokio::time::Instant;

use super::Discipline;
use super::queue::{Due, Queue};
use crate::gateway::chunk::Chunk;

/// Pieces per second, so that a slow line delivers evenly: one every 5 ms.
const PIECES_A_SECOND: u64 = 200;

/// Largest piece, in bytes: one read.
const LARGEST_PIECE: u64 = 64 << 10;

pub(super) struct Bandwidth {
    /// Bytes per second.
    rate: u64,
    /// Start of the current busy period.
    since: Instant,
    /// Bytes sent in this busy period. All instants are computed from this sum, so that rounding errors do not add up.
    sent: u64,
}

impl Bandwidth {
    pub fn new(rate: u64, now: Instant) -> Bandwidth {
        Bandwidth { rate, since: now, sent: 0 }
    }

    /// Returns when the last byte will have been sent.
    fn done(&self) -> Due {
        let (seconds, rest) = (self.sent / self.rate.max(1), self.sent % self.rate.max(1));
        let nanos = (u128::from(rest) * 1_000_000_000).div_ceil(u128::from(self.rate.max(1)));
        Due::after(self.since, Duration::from_secs(seconds) + Duration::from_nanos(nanos as u64))
    }
}

impl Discipline for Bandwidth {
    fn take(&mut self, chunk: Chunk, now: Instant, queue: &mut Queue) {
        if self.rate == 0 {
            return queue.hold(chunk, now);
        }
        let Chunk::Data(mut bytes) = chunk else { return queue.pass(chunk, now) };
        if self.done() <= Due::At(now) {
            (self.since, self.sent) = (now, 0);
        }
        let piece = (self.rate / PIECES_A_SECOND).clamp(1, LARGEST_PIECE) as usize;
        while !bytes.is_empty() {
            let piece = bytes.split_to(piece.min(bytes.len()));
            self.sent += piece.len() as u64;
            queue.push(Chunk::Data(piece), now, self.done());
        }
    }

    fn rate(&self) -> Option<u64> {
        Some(self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ToxicBench, bytes, data, ms, size};
    use super::*;
    use crate::model::fault::ToxicKind;

    fn bandwidth(bytes_per_second: u64) -> ToxicKind {
        ToxicKind::Bandwidth { bytes_per_second }
    }

    #[test]
    fn a_rate_is_exact_whether_slow_or_fast() {
        for rate in [7, 16_000, 1_000_003, 500_000_000] {
            let mut bench = ToxicBench::with(bandwidth(rate));
            // Up to half a second in reads of uneven sizes, all in flight at once, and then the end.
            let total = rate.div_ceil(2).min(4_000_000) as usize;
            let mut left = total;
            while left > 0 {
                let read = left.min(40_001);
                bench.send([bytes(read)]);
                left -= read;
            }
            bench.send([Chunk::End]);
            let arrivals = bench.arrivals();
            let mut sum = 0;
            for (at, chunk) in &arrivals {
                assert!(chunk.len() <= 1.max(rate as usize / 200));
                sum += chunk.len() as u128;
                let exact = (sum * 1_000_000_000).div_ceil(u128::from(rate));
                assert_eq!(at.as_nanos(), exact, "byte {sum} at {rate} bytes a second");
            }
            assert_eq!(size(&arrivals), total);
            assert_eq!(arrivals.last().map(|(_, chunk)| chunk), Some(&Chunk::End));
        }
    }

    #[test]
    fn an_idle_line_saves_up_nothing() {
        let mut bench = ToxicBench::with(bandwidth(1_000));
        bench.run_until(ms(10_000));
        bench.send([data("12345"), data("67890")]);
        assert_eq!(bench.arrivals(), [(ms(10_005), data("12345")), (ms(10_010), data("67890"))]);
        assert_eq!(bench.counted(), (10, 1));
    }

    #[test]
    fn no_bandwidth_holds_everything_until_it_is_healed() {
        let mut bench = ToxicBench::with(bandwidth(0));
        bench.send([data("a"), Chunk::End]);
        assert_eq!(bench.run_until(ms(100_000)), []);
        bench.heal();
        assert_eq!(bench.arrivals(), [(ms(100_000), data("a")), (ms(100_000), Chunk::End)]);
    }
}
