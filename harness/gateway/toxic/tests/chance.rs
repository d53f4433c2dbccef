//! Random draws: which connections a toxic touches, and by how much.

use std::slice;
use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::toxic::Pipeline;
use crate::gateway::toxic::samples::{ToxicBench, data, ms, rule};
use crate::gateway::types::Direction;
use crate::model::fault::{Share, Toxic, ToxicKind};
use crate::model::seed::Seed;

fn latency(toxicity: f64) -> Toxic {
    let kind = ToxicKind::Latency { delay: ms(50), jitter: ms(40) };
    Toxic { toxicity: Share::new(toxicity).unwrap(), ..Toxic::from(kind) }
}

/// Returns the connections among the first thousand that a rule touches.
fn touched(toxicity: f64, id: u64, direction: Direction, seed: Seed) -> Vec<u64> {
    let rule = rule(id, latency(toxicity));
    let is_touched = |connection: &u64| {
        let mut pipeline = Pipeline::default();
        pipeline.adapt(slice::from_ref(&rule), *connection, direction, seed, Instant::now());
        !pipeline.is_empty()
    };
    (0..1_000).filter(is_touched).collect()
}

/// Returns the arrival times of twenty chunks sent at once.
fn schedule(connection: u64, direction: Direction, seed: Seed) -> Vec<Duration> {
    let mut bench = ToxicBench { connection, direction, seed, ..ToxicBench::default() };
    bench.install(latency(1.0));
    bench.send((0..20).map(|_| data("a")));
    bench.arrivals().into_iter().map(|(at, _)| at).collect()
}

#[test]
fn toxicity_draws_once_per_connection_and_repeats() {
    let half = touched(0.5, 1, Direction::Upstream, Seed(7));
    // The standard deviation is 16; deviations of six times that practically never occur.
    assert!((400..600).contains(&half.len()), "{} of 1,000", half.len());
    assert_eq!(half, touched(0.5, 1, Direction::Downstream, Seed(7)));
    assert_eq!(half, touched(0.5, 1, Direction::Upstream, Seed(7)));
    assert_ne!(half, touched(0.5, 1, Direction::Upstream, Seed(8)));
    assert_ne!(half, touched(0.5, 2, Direction::Upstream, Seed(7)), "another rule draws for itself");
}

#[test]
fn no_toxicity_touches_nothing_and_a_whole_one_everything() {
    assert_eq!(touched(0.0, 1, Direction::Upstream, Seed(7)).len(), 0);
    assert_eq!(touched(1.0, 1, Direction::Upstream, Seed(7)).len(), 1_000);
}

#[test]
fn spared_connection_stays_spared_when_rules_change() {
    let spared = (0..).find(|connection| !touched(0.5, 1, Direction::Upstream, Seed(7)).contains(connection)).unwrap();
    let mut bench = ToxicBench { connection: spared, ..ToxicBench::default() };
    bench.install(latency(0.5));
    bench.install(latency(0.0));
    assert!(bench.pipeline.is_empty());
}

#[test]
fn equal_seeds_repeat_to_the_nanosecond_and_links_differ() {
    let first = schedule(1, Direction::Upstream, Seed(7));
    assert_eq!(first, schedule(1, Direction::Upstream, Seed(7)));
    assert_ne!(first, schedule(1, Direction::Upstream, Seed(8)));
    assert_ne!(first, schedule(2, Direction::Upstream, Seed(7)));
    assert_ne!(first, schedule(1, Direction::Downstream, Seed(7)));
}
