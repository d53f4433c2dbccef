//! Stages that are added and removed, and the bytes they may hold.

use std::collections::VecDeque;
use std::slice;
use std::sync::Arc;

use tokio::time::Instant;

use crate::gateway::chunk::Chunk;
use crate::gateway::rule::{Rule, RuleKind, Tally};
use crate::gateway::toxic::Pipeline;
use crate::gateway::toxic::samples::{ToxicBench, bytes, data, ms, rule};
use crate::gateway::types::Cut;
use crate::gateway::types::Direction;
use crate::model::fault::{CutPoint, Point, Scope, Stream, Strike, Toxic, ToxicKind};
use crate::model::seed::Seed;

const STALL: ToxicKind = ToxicKind::Stall { close_after: None };
const LATENCY: ToxicKind = ToxicKind::Latency { delay: ms(50), jitter: ms(0) };

#[test]
fn without_toxics_bytes_pass_as_they_come() {
    let mut bench = ToxicBench::default();
    bench.adapt();
    assert!(bench.pipeline.is_empty() && bench.has_room());
    bench.send([data("a"), Chunk::Gate(1), Chunk::End]);
    assert_eq!(bench.arrivals(), [(ms(0), data("a")), (ms(0), Chunk::Gate(1)), (ms(0), Chunk::End)]);
}

#[test]
fn toxics_apply_one_after_the_other() {
    let mut bench = ToxicBench::with(ToxicKind::Slicer { average: 2, variation: 0, pause: ms(10) });
    bench.install(LATENCY);
    bench.send([data("abc"), Chunk::Cut(Cut::Reset)]);
    let expected = [(ms(50), data("ab")), (ms(60), data("c")), (ms(60), Chunk::Cut(Cut::Reset))];
    assert_eq!(bench.arrivals(), expected);
}

#[test]
fn late_polling_does_not_add_to_delays() {
    let mut bench = ToxicBench::with(LATENCY);
    bench.install(ToxicKind::Bandwidth { bytes_per_second: 1_000 });
    bench.send([data("12345")]);
    bench.pass_time(ms(54));
    assert_eq!(bench.arrivals(), [(ms(55), data("12345"))]);
}

#[test]
fn bytes_of_a_healed_toxic_pass_the_later_ones() {
    let mut bench = ToxicBench::with(STALL);
    let stall = bench.rules[0].clone();
    bench.install(LATENCY);
    bench.send([data("a")]);
    bench.run_until(ms(30));
    bench.rules.retain(|rule| rule.id != stall.id);
    bench.adapt();
    bench.send([data("b")]);
    assert_eq!(bench.arrivals(), [(ms(80), data("a")), (ms(80), data("b"))]);
}

#[test]
fn toxics_healed_together_pass_nothing_to_each_other() {
    let mut bench = ToxicBench::with(STALL);
    bench.install(ToxicKind::Limit { bytes: 1 });
    bench.install(ToxicKind::Reset { after: ms(100) });
    bench.send([data("abc"), Chunk::End]);
    bench.run_until(ms(10));
    bench.heal();
    assert_eq!(bench.arrivals(), [(ms(10), data("abc")), (ms(10), Chunk::End)]);
    assert!(bench.pipeline.is_empty());
}

#[test]
fn remaining_toxic_is_unaffected_by_others() {
    let mut bench = ToxicBench::with(ToxicKind::Bandwidth { bytes_per_second: 1_000 });
    bench.send([data("1234567890")]);
    assert_eq!(bench.run_until(ms(7)), [(ms(5), data("12345"))]);
    let stall = bench.install(STALL);
    bench.run_until(ms(8));
    bench.rules.retain(|rule| rule.id != stall.id);
    bench.adapt();
    assert_eq!(bench.arrivals(), [(ms(10), data("67890"))]);
    assert_eq!(stall.tally.strikes(), 0);
}

#[test]
fn later_toxic_delays_only_bytes_not_yet_due() {
    let mut bench = ToxicBench::with(LATENCY);
    bench.send([data("a")]);
    bench.run_until(ms(10));
    bench.send([data("b")]);
    bench.pass_time(ms(55));
    // "a" was due at 50 ms and has passed; "b" is due at 60 ms and is held.
    bench.install(STALL);
    assert_eq!(bench.run_until(ms(1_000)), [(ms(55), data("a"))]);
    bench.heal();
    assert_eq!(bench.arrivals(), [(ms(1_000), data("b"))]);
}

#[test]
fn a_fast_line_fits_through_a_latency() {
    let mut bench = ToxicBench::with(LATENCY);
    bench.send((0..400).map(|_| bytes(62_500)));
    assert!(bench.has_room(), "25 MB, what 500 MB/s have under way in 50 ms");
    bench.send((0..200).map(|_| bytes(62_500)));
    assert!(!bench.has_room());
}

#[test]
fn slow_line_behind_a_latency_holds_bytes_in_flight_only() {
    let mut bench = ToxicBench::with(LATENCY);
    bench.install(ToxicKind::Bandwidth { bytes_per_second: 10_000_000 });
    // One read, and the bytes in flight in 60 ms: the latency, and 10 ms for late polls.
    bench.send([bytes(64 << 10), bytes(599_999)]);
    assert!(bench.has_room());
    bench.send([bytes(1)]);
    assert!(!bench.has_room());
    assert_eq!(bench.run_until(ms(55)).len(), 1);
    assert!(bench.has_room(), "what has gone makes room");
}

#[test]
fn direction_and_scope_select_the_links() {
    let touches = |stream, scope, direction, connection| {
        let toxic = Toxic { stream, scope, ..Toxic::from(STALL) };
        let rule = Arc::new(Rule { newest: 5, ..Arc::into_inner(rule(1, toxic)).unwrap() });
        let mut pipeline = Pipeline::default();
        pipeline.adapt(&[rule], connection, direction, Seed(7), Instant::now());
        !pipeline.is_empty()
    };
    use Direction::{Downstream, Upstream};
    assert!(touches(Stream::Both, Scope::Every, Upstream, 5) && touches(Stream::Both, Scope::Every, Downstream, 6));
    assert!(touches(Stream::Upstream, Scope::Every, Upstream, 5));
    assert!(!touches(Stream::Upstream, Scope::Every, Downstream, 5));
    assert!(touches(Stream::Downstream, Scope::Every, Downstream, 5));
    assert!(!touches(Stream::Downstream, Scope::Every, Upstream, 5));
    assert!(touches(Stream::Both, Scope::Established, Upstream, 5));
    assert!(!touches(Stream::Both, Scope::Established, Upstream, 6));
    assert!(touches(Stream::Both, Scope::New, Upstream, 6) && !touches(Stream::Both, Scope::New, Upstream, 5));
}

#[test]
fn rules_that_are_no_toxics_get_no_stage() {
    let kind = RuleKind::CutPoint(CutPoint { point: Point::Startup, strike: Strike::Hold, times: None });
    let rule = Rule { id: 1, name: "cut".into(), kind, newest: 0, tally: Tally::default() };
    let mut pipeline = Pipeline::default();
    pipeline.adapt(&[Arc::new(rule)], 1, Direction::Upstream, Seed(7), Instant::now());
    assert!(pipeline.is_empty());
}

#[test]
fn connection_is_counted_once_for_both_links() {
    let rule = rule(1, STALL);
    let now = Instant::now();
    for (connection, direction) in [(1, Direction::Upstream), (1, Direction::Downstream), (2, Direction::Upstream)] {
        let mut pipeline = Pipeline::default();
        pipeline.adapt(slice::from_ref(&rule), connection, direction, Seed(7), now);
        pipeline.take(data("abc"), now);
        assert_eq!(pipeline.give(now, &mut VecDeque::new()), None);
    }
    assert_eq!((rule.tally.bytes(), rule.tally.strikes()), (9, 2));
}
