//! A history arranged for pictures: fault windows, operations with their outcomes, and connections.
//!
//! Pure. All instants count from the run's origin; an instant is `None` if it is unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::judge::{Facts, recovered_at};
use crate::model::history::{ConnectionChange, Event, FaultStep, History, Outcome, Phase, RecordedOp, Severed};

/// One run in time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Latest time of an operation, a phase, a step of a fault, a connection's change, or the client's or workload's
    /// end.
    pub until: Duration,
    /// Begin of the steady state.
    pub steady: Option<Duration>,
    pub faults: Vec<Window>,
    /// The pause of the workload.
    pub pause: Option<(Duration, Duration)>,
    /// In the order of their completion.
    pub ops: Vec<Bar>,
    /// In the order of their opening.
    pub connections: Vec<Lifeline>,
    /// When the gateway refused connections, as a stopped server does.
    pub refusing: Vec<(Duration, Duration)>,
    pub marks: Marks,
    /// Begin of the phase *audit*, in which the workload begins no more operations.
    pub audit: Option<Duration>,
}

/// A fault, from the begin of its injection to its heal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// Its description: `packets dropped both ways`.
    pub what: String,
    pub injecting: Option<Duration>,
    pub in_force: Option<Duration>,
    pub healing: Option<Duration>,
    pub healed: Option<Duration>,
    /// Whether the fault is instantaneous, so there is nothing to heal.
    pub is_instant: bool,
}

impl Window {
    /// Begin of the injection; `None` if the fault was not injected.
    pub fn begin(&self) -> Option<Duration> {
        self.injecting.or(self.in_force)
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    pub id: u64,
    pub worker: u32,
    pub kind: RecordedOp,
    /// Intended start in the workload's schedule. Latency counts from here.
    pub from: Duration,
    /// When the client answered; `None` if it had not when the workload ended.
    pub to: Option<Duration>,
    pub outcome: Outcome,
    /// SQLSTATE or kind of the error.
    pub error: Option<String>,
    /// Number of operations that it represents.
    pub count: u64,
}

/// One connection through the gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Lifeline {
    pub id: u64,
    pub opened: Duration,
    /// When the server authenticated it.
    pub signed_in: Option<Duration>,
    /// When it ended, and who ended it.
    pub ended: Option<(Duration, Severed)>,
    /// Errors that the server reported on it: time, and SQLSTATE or else severity.
    pub errors: Vec<(Duration, String)>,
}

/// The instants between which the figures of a run are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Marks {
    /// When the first fault began to be injected.
    pub hit: Option<Duration>,
    /// The first sign of the fault: see [`Measures::time_to_detect`](crate::judge::Measures).
    pub detected: Option<Duration>,
    /// When the timing of recovery starts.
    pub recovery_starts: Option<Duration>,
    pub first_success: Option<Duration>,
    pub recovered: Option<Duration>,
    /// End of the recovery budget.
    pub budget_ends: Option<Duration>,
}

impl Timeline {
    /// Arranges a history.
    pub fn from_history(history: &History) -> Timeline {
        let facts = Facts::gather(history);
        let measures = crate::judge::measures(&facts);
        let after = |from: Option<Duration>, time: Option<Duration>| Some(from? + time?);
        let recovery_starts = facts.recovery_starts();
        let marks = Marks {
            hit: facts.hit(),
            detected: after(facts.hit(), measures.time_to_detect),
            recovery_starts,
            first_success: after(recovery_starts, measures.time_to_first_success),
            recovered: recovered_at(&facts),
            budget_ends: after(recovery_starts, Some(history.header.budget.time_to_recover)),
        };
        let ops = facts.ops.iter().map(|op| Bar {
            id: op.id,
            worker: op.worker,
            kind: op.kind,
            from: op.intended,
            to: op.ended,
            outcome: op.outcome,
            error: op.error.as_ref().map(|error| error.label()),
            count: op.count,
        });
        let faults = history.header.faults.iter().map(|fault| Window {
            what: fault.kind.to_string(),
            is_instant: fault.kind.is_instant(),
            ..Window::default()
        });
        let mut timeline = Timeline {
            until: facts.until,
            steady: facts.steady_since,
            faults: faults.collect(),
            pause: facts.pause().map(|pause| (pause.start, pause.end)),
            ops: ops.collect(),
            connections: connections(history),
            refusing: refusing(&facts),
            marks,
            audit: None,
        };
        for event in &history.events {
            match event {
                Event::Fault { at, fault, step } => {
                    let Some(window) = timeline.faults.get_mut(*fault) else { continue };
                    match step {
                        FaultStep::Injecting => window.injecting = Some(*at),
                        FaultStep::InForce => window.in_force = Some(*at),
                        FaultStep::Healing => window.healing = Some(*at),
                        FaultStep::Healed => window.healed = Some(*at),
                        FaultStep::Failed { .. } => {}
                    }
                }
                Event::Phase { at, phase: Phase::Audit } => timeline.audit = Some(*at),
                _ => {}
            }
        }
        timeline
    }
}

/// Connections that reached the gateway, without cancel requests, in the order of their opening.
fn connections(history: &History) -> Vec<Lifeline> {
    let mut found: BTreeMap<u64, Lifeline> = BTreeMap::new();
    for event in &history.events {
        let Event::Connection { at, id, change } = event else { continue };
        if *change == ConnectionChange::Opened {
            found.insert(*id, Lifeline { id: *id, opened: *at, signed_in: None, ended: None, errors: Vec::new() });
        }
        let Some(line) = found.get_mut(id) else { continue };
        match change {
            ConnectionChange::Authenticated => line.signed_in = Some(*at),
            ConnectionChange::Ended { by, .. } => line.ended = Some((*at, *by)),
            ConnectionChange::Error { sqlstate, severity, .. } => {
                line.errors.push((*at, sqlstate.clone().unwrap_or_else(|| severity.clone())));
            }
            ConnectionChange::CancelRequested => drop(found.remove(id)),
            _ => {}
        }
    }
    let mut lines: Vec<_> = found.into_values().collect();
    lines.sort_by_key(|line| line.opened);
    lines
}

fn refusing(facts: &Facts) -> Vec<(Duration, Duration)> {
    let (mut windows, mut since) = (Vec::new(), None);
    for (at, on) in &facts.refusing {
        match (on, since) {
            (true, None) => since = Some(*at),
            (false, Some(from)) => {
                windows.push((from, *at));
                since = None;
            }
            _ => {}
        }
    }
    windows.extend(since.map(|from| (from, facts.until)));
    windows
}
