//! Random faults: kinds, onsets, durations, and which faults may overlap.

use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

use crate::model::fault::{
    CutPoint, Fault, FaultKind, Point, Scope, ServerTimeout, StopMode, Stream, Strike, Toxic, ToxicKind,
};
use crate::model::pace::Pause;

/// The earliest onset, late enough that every worker has completed operations. *Units*: tenths of a second.
const EARLIEST: u64 = 40;

/// The end of the onsets: half of the minute that a run takes, the rest is for recovery. *Units*: tenths of a second.
const LATEST: u64 = 300;

/// A device that expires connections that are idle for some seconds, and a longer pause of the workload.
pub(super) fn idleness() -> impl Strategy<Value = (Fault, Pause)> {
    let kinds: Vec<fn(Duration) -> FaultKind> =
        vec![|after| FaultKind::IdleClose { after }, |after| FaultKind::IdleReset { after }, |after| {
            FaultKind::IdleDrop { after }
        }];
    (EARLIEST..LATEST / 2, 3u64..8, select(kinds)).prop_map(|(at, after, kind)| {
        let (at, after) = (tenths(at), Duration::from_secs(after));
        let pause = Pause { at, lasts: after + Duration::from_secs(3) };
        (Fault { kind: kind(after), at, lasts: pause.lasts + Duration::from_secs(3) }, pause)
    })
}

/// Removes each fault that must not overlap an earlier one, by the rules of scenario files.
pub(super) fn compatible(mut drawn: Vec<Fault>) -> Vec<Fault> {
    // The idle device is always kept, because the pause is useless without it.
    let mut kept: Vec<Fault> = Vec::new();
    drawn.sort_by_key(|fault| (fault.kind.idle_time().is_none(), fault.at));
    for fault in drawn {
        let collides = |before: &Fault| {
            let (accept, server) = (|kind: FaultKind| kind.blocks_accept(), |kind: FaultKind| !kind.is_network());
            let same_lane = before.kind == fault.kind
                || (accept(before.kind) && accept(fault.kind))
                || (server(before.kind) && server(fault.kind));
            same_lane && (before.at + before.lasts > fault.at || before.at == fault.at)
        };
        if !kept.iter().any(collides) {
            kept.push(fault);
        }
    }
    kept.sort_by_key(|fault| fault.at);
    kept
}

/// A random fault, with an onset between `EARLIEST` and `LATEST`. It lasts 0.5 s to 10 s, unless it is instant.
pub(super) fn fault() -> impl Strategy<Value = Fault> {
    (EARLIEST..LATEST, kind(), 5u64..100).prop_map(|(at, kind, lasts)| {
        let lasts = match kind {
            kind if kind.is_instant() => 0,
            FaultKind::CloseRepeatedly { .. } | FaultKind::ResetRepeatedly { .. } => lasts.max(40),
            _ => lasts,
        };
        Fault { kind, at: tenths(at), lasts: tenths(lasts) }
    })
}

pub(super) fn tenths(tenths: u64) -> Duration {
    Duration::from_millis(100 * tenths)
}

fn times(range: Range<u64>) -> BoxedStrategy<Duration> {
    range.prop_map(tenths).boxed()
}

fn kind() -> BoxedStrategy<FaultKind> {
    prop_oneof![
        4 => select(simple()),
        3 => cut_point(),
        2 => toxic(),
        1 => (select(vec![Stream::Both, Stream::Upstream, Stream::Downstream]), select(vec![Scope::Every, Scope::Established]))
            .prop_map(|(stream, scope)| FaultKind::Blackhole { stream, scope }),
        1 => Just(FaultKind::Blackhole { stream: Stream::Both, scope: Scope::New }),
        1 => times(5..30).prop_map(|every| FaultKind::ResetRepeatedly { every }),
        1 => times(5..30).prop_map(|after| FaultKind::ServerTimeout { timeout: ServerTimeout::Statement, after }),
    ]
    .boxed()
}

/// Kinds without parameters. The simplest comes first, because proptest shrinks towards it.
fn simple() -> Vec<FaultKind> {
    vec![
        FaultKind::Reset,
        FaultKind::Close,
        FaultKind::Refuse,
        FaultKind::HalfOpen,
        FaultKind::Hang,
        FaultKind::Reject,
        FaultKind::TerminateSessions,
        FaultKind::Restart(StopMode::Fast),
        FaultKind::Restart(StopMode::Immediate),
        FaultKind::Kill,
        FaultKind::Freeze,
        FaultKind::CrashBackend,
        FaultKind::LongRecovery,
        FaultKind::ExhaustConnections,
        FaultKind::ExhaustOrdinaryConnections,
        FaultKind::LimitRole,
    ]
}

fn cut_point() -> BoxedStrategy<FaultKind> {
    let points: Vec<Point> = Point::ALL
        .iter()
        .map(|(_, point)| *point)
        // Schedules with these faults use no TLS, so that clients send no such request.
        .filter(|point| *point != Point::EncryptionRequest)
        .collect();
    let times = prop::option::of(1u32..4);
    (select(points), select(vec![Strike::Reset, Strike::Close, Strike::Hold, Strike::Drop]), times)
        .prop_map(|(point, strike, times)| {
            // Dropping one message from a stream that continues is unrealistic: the receiver would take a later
            // message for it. After these two, no message follows before the answer.
            let may_vanish = matches!(point, Point::Startup | Point::Authentication);
            let strike = if strike == Strike::Drop && !may_vanish { Strike::Hold } else { strike };
            FaultKind::CutPoint(CutPoint { point, strike, times })
        })
        .boxed()
}

fn toxic() -> BoxedStrategy<FaultKind> {
    let kinds = prop_oneof![
        2 => Just(ToxicKind::Stall { close_after: None }),
        1 => (10u64..400).prop_map(|ms| ToxicKind::Latency { delay: Duration::from_millis(ms), jitter: Duration::ZERO }),
        1 => (1u64..20).prop_map(|kilobytes| ToxicKind::Bandwidth { bytes_per_second: kilobytes * 1000 }),
    ];
    let streams = select(vec![Stream::Both, Stream::Upstream, Stream::Downstream]);
    (kinds, streams, select(vec![Scope::Every, Scope::Established]))
        .prop_map(|(kind, stream, scope)| FaultKind::Toxic(Toxic { stream, scope, ..kind.into() }))
        .boxed()
}
