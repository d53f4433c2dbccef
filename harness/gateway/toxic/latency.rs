//! Latency: delays each chunk. Chunks in flight do not delay each other, as on a long wire.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::Discipline;
use super::queue::{Due, Queue};
use crate::gateway::chunk::Chunk;

pub(super) struct Latency {
    delay: Duration,
    jitter: Duration,
    chance: ChaCha8Rng,
}

impl Latency {
    pub fn new(delay: Duration, jitter: Duration, chance: ChaCha8Rng) -> Latency {
        Latency { delay, jitter, chance }
    }
}

impl Discipline for Latency {
    fn take(&mut self, chunk: Chunk, now: Instant, queue: &mut Queue) {
        // Drawn for every chunk: FIN and RST travel on the same wire.
        let drawn = self.chance.random_range(Duration::ZERO..=self.jitter.saturating_mul(2));
        let delay = self.delay.saturating_add(drawn).saturating_sub(self.jitter);
        queue.push(chunk, now, Due::after(now, delay));
    }

    fn delay(&self) -> Duration {
        self.delay.saturating_add(self.jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ToxicBench, data, ms};
    use super::*;
    use crate::model::fault::ToxicKind;

    fn latency(delay: u64, jitter: u64) -> ToxicKind {
        ToxicKind::Latency { delay: ms(delay), jitter: ms(jitter) }
    }

    #[test]
    fn no_latency_changes_nothing() {
        let mut bench = ToxicBench::with(latency(0, 0));
        bench.send([data("a"), Chunk::End]);
        assert_eq!(bench.arrivals(), [(ms(0), data("a")), (ms(0), Chunk::End)]);
        assert_eq!(bench.counted(), (0, 0));
    }

    #[test]
    fn latency_delays_bytes_in_parallel_and_the_end_too() {
        let mut bench = ToxicBench::with(latency(50, 0));
        bench.send([data("a")]);
        bench.run_until(ms(10));
        bench.send([data("bc"), Chunk::Failed]);
        assert_eq!(bench.run_until(ms(49)), []);
        assert_eq!(bench.run_until(ms(50)), [(ms(50), data("a"))]);
        assert_eq!(bench.arrivals(), [(ms(60), data("bc")), (ms(60), Chunk::Failed)]);
        assert_eq!(bench.counted(), (3, 1));
    }

    #[test]
    fn jitter_is_even_on_both_sides_of_the_delay() {
        let mut delays = Vec::new();
        for connection in 0..2_000 {
            let mut bench = ToxicBench::of_connection(connection, latency(50, 20));
            bench.send([data("a")]);
            delays.extend(bench.arrivals().iter().map(|(at, _)| *at));
        }
        assert!(delays.iter().all(|delay| (ms(30)..=ms(70)).contains(delay)));
        // A quarter of 2,000 even draws is 500 with a standard deviation of 19; six times that practically never
        // occurs.
        for quarter in [30, 40, 50, 60] {
            let count = delays.iter().filter(|delay| (ms(quarter)..ms(quarter + 10)).contains(*delay)).count();
            assert!((380..620).contains(&count), "{count} from {quarter} ms");
        }
    }

    #[test]
    fn jitter_keeps_the_order_and_healing_lets_all_go() {
        let mut bench = ToxicBench::with(latency(5, 50));
        let sent: Vec<_> = (0..200).map(|n| data(&n.to_string())).collect();
        bench.send(sent.clone());
        let mut arrived = bench.run_until(ms(20));
        assert!((1..200).contains(&arrived.len()), "{} have arrived", arrived.len());
        bench.heal();
        arrived.extend(bench.run_until(ms(20)));
        assert_eq!(arrived.into_iter().map(|(_, chunk)| chunk).collect::<Vec<_>>(), sent);
    }
}
