//! Schedules of faults, drawn at random and shrunk by proptest: kinds, onsets, durations, overlaps.
//!
//! A schedule is what a scenario file would hold; whatever is found by one can be written as such a file, and asked on
//! the real planes as well.

use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

use crate::budget::Budget;
use crate::fault::{
    CutPoint, Fault, FaultKind, Point, Scope, ServerTimeout, StopMode, Stream, Strike, Toxic, ToxicKind,
};
use crate::layout::{Host, Layout, TargetSession};
use crate::load::{Load, Pause};
use crate::scenario::{Question, Scenario, ScenarioError};

/// When the first fault comes, in tenths of a second: every worker has worked for some seconds by then.
const EARLIEST: u64 = 40;

/// When the last one comes: thirty seconds of faults, and as many to recover in.
const LATEST: u64 = 300;

/// The most faults of one schedule.
const MOST: usize = 6;

/// The pace of each worker. Slower than in a real run: it is what a simulated run costs, and a client meets its faults with
/// an operation a second as surely as with twenty.
const INTERVAL: Duration = Duration::from_secs(1);

/// A schedule of faults, and what it asks of the workload beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    faults: Vec<Fault>,
    pause: Option<Pause>,
    extra: Extra,
}

/// What is asked of the workload beside faults and pauses, one thing at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extra {
    Nothing,
    /// Every operation has a deadline.
    Deadline,
    /// There are more callers than connections.
    Waiters,
    /// The client listens, too.
    Listening,
}

impl Schedule {
    /// Its faults, in the order of their onsets.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The text of a scenario file that asks the same. `why`: what stands at its head.
    pub fn text(&self, title: &str, why: &str) -> String {
        self.question(title, why).text()
    }

    /// The scenario itself.
    ///
    /// *Errors*: none that a schedule drawn here could have.
    pub fn scenario(&self, name: &str) -> Result<Scenario, ScenarioError> {
        self.question("Random schedule of faults", "").scenario(name)
    }

    fn question(&self, title: &str, why: &str) -> Question {
        let mut load = Load { interval: INTERVAL, ..Load::default() };
        load.pause = self.pause;
        match self.extra {
            Extra::Nothing => {}
            Extra::Deadline => load.deadline = Some(Duration::from_millis(500)),
            Extra::Waiters => load.callers_per_connection = 2,
            Extra::Listening => load.listen = true,
        }
        let layout = Layout { hosts: vec![Host::Primary], target_session: TargetSession::Any, ..Layout::default() };
        // Several operations of each worker make a window.
        let budget = Budget { stability: Duration::from_secs(5), ..Budget::default() };
        Question { title: title.into(), why: why.into(), budget, load, layout, faults: self.faults.clone() }
    }
}

/// Random schedules of one to six faults within thirty seconds, from the fourth second of steady state on; in some of them
/// there is a device that ends idle connections, and the workload pauses for long enough to meet it.
///
/// They shrink to fewer faults, to simpler ones, and to shorter ones.
pub fn schedules() -> impl Strategy<Value = Schedule> {
    let faults = prop::collection::vec(fault(), 1..=MOST);
    let extras =
        select(vec![Extra::Nothing, Extra::Nothing, Extra::Nothing, Extra::Deadline, Extra::Waiters, Extra::Listening]);
    (faults, prop::option::weighted(0.25, idleness()), extras).prop_map(|(mut faults, idleness, extra)| {
        let pause = idleness.map(|(device, pause)| {
            // In the place of one of them, so that their number stays what it is.
            faults.truncate(MOST - 1);
            faults.insert(0, device);
            pause
        });
        Schedule { faults: compatible(faults), pause, extra }
    })
}

/// A device that ends connections which have been idle for some seconds, and a pause that is longer.
fn idleness() -> impl Strategy<Value = (Fault, Pause)> {
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

/// Leaves out what cannot be in force together with what came before it, as scenario files must.
fn compatible(mut drawn: Vec<Fault>) -> Vec<Fault> {
    // The device comes first whatever its onset: the pause is there for it.
    let mut kept: Vec<Fault> = Vec::new();
    drawn.sort_by_key(|fault| (fault.kind.idle_time().is_none(), fault.at));
    for fault in drawn {
        let collides = |before: &Fault| {
            let (door, server) = (|kind: FaultKind| kind.shuts_door(), |kind: FaultKind| !kind.is_network());
            let same_lane = before.kind == fault.kind
                || (door(before.kind) && door(fault.kind))
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

fn fault() -> impl Strategy<Value = Fault> {
    (EARLIEST..LATEST, kind(), 5u64..100).prop_map(|(at, kind, lasts)| {
        let lasts = match kind {
            kind if kind.is_instant() => 0,
            FaultKind::CloseRepeatedly { .. } | FaultKind::ResetRepeatedly { .. } => lasts.max(40),
            _ => lasts,
        };
        Fault { kind, at: tenths(at), lasts: tenths(lasts) }
    })
}

fn tenths(tenths: u64) -> Duration {
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

/// Kinds that need nothing said of them, the simplest first: to it others shrink.
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
        // Nobody here asks for encryption.
        .filter(|point| *point != Point::EncryptionRequest)
        .collect();
    let times = prop::option::of(1u32..4);
    (select(points), select(vec![Strike::Reset, Strike::Close, Strike::Hold, Strike::Drop]), times)
        .prop_map(|(point, strike, times)| {
            let strike = if strike == Strike::Drop && !point.holds_message() { Strike::Hold } else { strike };
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

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #[test]
        fn every_schedule_is_a_scenario(schedule in schedules()) {
            let scenario = schedule.scenario("drawn");
            prop_assert!(scenario.is_ok(), "{}\n{}", scenario.unwrap_err(), schedule.text("t", ""));
            prop_assert_eq!(&scenario.unwrap().faults, &schedule.faults);
        }
    }
}
