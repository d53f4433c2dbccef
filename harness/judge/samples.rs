//! Histories to test the judge with: a healthy run whose faults, answers and audit can be changed one at a time.
//!
//! Four workers, each with an operation every 50 ms that takes 2 ms: steady from 1 s, the fault at 3 s, healed at 6 s,
//! told to stop at 12 s. While the fault is in force every operation is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::budget::Budget;
use crate::fault::{Class, Fault, FaultKind, StopMode};
use crate::history::{
    ClientFacts, ConnectionChange, Ended, ErrorKind, Event, Evidence, FaultStep, Header, History, Op, OpError, OpKind,
    Outcome, Phase, ServerFacts, Sessions,
};
use crate::judge::{Check, Facts, Recovery, Verdict, judge, recovered_at};
use crate::load::Load;
use crate::seed::Seed;

pub(super) const STEADY: Duration = ms(1_000);
pub(super) const HIT: Duration = ms(3_000);
pub(super) const HEAL: Duration = ms(6_000);
pub(super) const STOP: Duration = ms(12_000);
/// Until when open operations are waited for.
pub(super) const END: Duration = ms(12_100);

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn refused() -> OpError {
    OpError::new(ErrorKind::Refused, "connection refused").with_retryable(true)
}

pub(super) fn proof(what: &str, count: u64, decisive: bool) -> Evidence {
    Evidence { what: what.into(), count, decisive }
}

/// A history in the making.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub header: Header,
    pub client: ClientFacts,
    pub ops: Vec<Op>,
    pub steps: Vec<(Duration, usize, FaultStep)>,
    pub evidence: Vec<(usize, Evidence)>,
    pub opened: Vec<Duration>,
    pub refusing: Option<(Duration, Duration)>,
    pub steady_since: Option<Duration>,
    pub steady: Option<Sessions>,
    pub settled: Option<Sessions>,
    /// Copies in the ledger, where they differ from once for each acknowledged write.
    pub copies: BTreeMap<i64, u64>,
    pub audited: bool,
    pub ended: Option<(Duration, Ended)>,
    pub doubts: Vec<String>,
    pub finished: bool,
}

impl Sample {
    /// A restart that the client survives as well as can be.
    pub fn healthy() -> Sample {
        let fault = Fault { kind: FaultKind::Restart(StopMode::Fast), at: HIT - STEADY, lasts: HEAL - HIT };
        let header = Header {
            format: crate::history::FORMAT,
            pgsquall: "0.0.0".into(),
            scenario: "sample".into(),
            title: "Sample".into(),
            class: Class::Transient,
            client: "sample".into(),
            seed: Seed(7),
            repeat: 0,
            repeats: 1,
            faults: vec![fault],
            precedes_client: false,
            budget: Budget { time_to_recover: ms(4_000), ..Budget::default() },
            load: Load::default(),
        };
        let client = ClientFacts {
            name: "sample".into(),
            version: "1".into(),
            concurrency: 4,
            capabilities: Vec::new(),
            timeout: None,
        };
        let sessions = Sessions { open: 4, idle_in_transaction: 0 };
        let mut sample = Sample {
            header,
            client,
            ops: grid(4),
            steps: Vec::new(),
            evidence: vec![(0, proof("sessions lost", 4, true))],
            opened: (0..4).flat_map(|slot| [ms(50 + slot), HEAL + ms(10 + slot)]).collect(),
            refusing: None,
            steady_since: Some(STEADY),
            steady: Some(sessions),
            settled: Some(sessions),
            copies: BTreeMap::new(),
            audited: true,
            ended: None,
            doubts: Vec::new(),
            finished: true,
        };
        sample.fault_at(0, HIT, HEAL);
        sample.fail(|op| op.began >= HIT && op.began < HEAL, &refused());
        sample
    }

    /// Records that a fault was injected and healed.
    pub fn fault_at(&mut self, fault: usize, inject: Duration, heal: Duration) {
        let steps = [FaultStep::Injecting, FaultStep::InForce, FaultStep::Healing, FaultStep::Healed];
        self.steps.retain(|(_, of, _)| *of != fault);
        self.steps.extend(steps.into_iter().zip([inject, inject, heal, heal]).map(|(step, at)| (at, fault, step)));
    }

    /// Lets some operations fail.
    pub fn fail(&mut self, which: impl Fn(&Op) -> bool, error: &OpError) -> &mut Sample {
        self.change(which, |op| (op.outcome, op.found, op.error) = (Outcome::Fail, None, Some(error.clone())))
    }

    /// Lets some operations succeed.
    pub fn succeed(&mut self, which: impl Fn(&Op) -> bool) -> &mut Sample {
        self.change(which, |op| {
            (op.outcome, op.error) = (Outcome::Ok, None);
            op.found = (op.kind == OpKind::Read).then_some(true);
        })
    }

    pub fn change(&mut self, which: impl Fn(&Op) -> bool, change: impl Fn(&mut Op)) -> &mut Sample {
        self.ops.iter_mut().filter(|op| which(op)).for_each(change);
        self
    }

    /// Lets the first operation that a worker begins at this time or later never end.
    pub fn hang(&mut self, worker: u32, from: Duration) -> &mut Sample {
        let first = self.answer_at(worker, from, END);
        self.change(|op| op.id == first, |op| (op.ended, op.outcome, op.found) = (None, Outcome::Info, None))
    }

    /// Lets the first operation that a worker begins at this time or later end only then; returns its id.
    pub fn answer_at(&mut self, worker: u32, from: Duration, ended: Duration) -> u64 {
        let mine = |op: &&Op| op.worker == worker && op.began >= from;
        let first = self.ops.iter().filter(mine).min_by_key(|op| op.began).expect("it begins one").id;
        self.ops.retain(|op| op.worker != worker || op.began < from || op.began >= ended || op.id == first);
        self.change(|op| op.id == first, |op| op.ended = Some(ended));
        first
    }

    /// One operation, by its worker and the first instant at which it may begin.
    pub fn op(&self, worker: u32, from: Duration) -> &Op {
        let mine = |op: &&Op| op.worker == worker && op.began >= from;
        self.ops.iter().filter(mine).min_by_key(|op| op.began).expect("it begins one")
    }

    /// As a recorder would have written it.
    pub fn history(&self) -> History {
        let mut timed: Vec<(Duration, Event)> = Vec::new();
        timed.extend(self.steady_since.map(|at| (at, Event::Phase { at, phase: Phase::SteadyState })));
        timed.push((STOP, Event::Phase { at: STOP, phase: Phase::Audit }));
        let steps = self.steps.iter().map(|(at, fault, step)| (*at, *fault, step.clone()));
        timed.extend(steps.map(|(at, fault, step)| (at, Event::Fault { at, fault, step })));
        timed.extend(self.ops.iter().filter_map(|op| Some((op.ended?, Event::Op(op.clone())))));
        let opened = (0..).zip(&self.opened).map(|(id, at)| (id, *at));
        timed.extend(opened.map(|(id, at)| (at, Event::Connection { at, id, change: ConnectionChange::Opened })));
        let refusing = self.refusing.map(|(from, to)| [(from, true), (to, false)]);
        timed.extend(refusing.into_iter().flatten().map(|(at, on)| (at, Event::Refusing { at, on })));
        timed.extend(self.ended.iter().map(|(at, how)| (*at, Event::ClientEnded { at: *at, how: how.clone() })));
        timed.extend(self.doubts.iter().map(|reason| (END, Event::Doubt { at: END, reason: reason.clone() })));
        timed.sort_by_key(|(at, _)| *at);

        let server = ServerFacts { kind: "local".into(), version: "15.18".into(), origin: "binaries".into() };
        let mut events = vec![Event::Server(server), Event::Client(self.client.clone())];
        events.push(Event::Calibration { direct: Duration::from_micros(40), gateway: Duration::from_micros(65) });
        events.extend(self.steady.map(Event::SteadySessions));
        events.extend(timed.into_iter().map(|(_, event)| event));
        if self.finished {
            events.push(Event::WorkloadEnded { at: END });
            events.extend(self.ops.iter().filter(|op| op.ended.is_none()).cloned().map(Event::Op));
        }
        if self.audited {
            events.extend(self.settled.map(Event::SettledSessions));
            events.push(Event::Ledger { runs: self.ledger() });
            events.extend(
                self.evidence.iter().map(|(fault, found)| Event::Evidence { fault: *fault, found: found.clone() }),
            );
        }
        History { header: self.header.clone(), events }
    }

    fn ledger(&self) -> Vec<(i64, i64, u64)> {
        let written = self.ops.iter().filter(|op| op.outcome == Outcome::Ok && op.kind.writes());
        let mut copies: BTreeMap<i64, u64> = written.map(|op| (op.key, 1)).collect();
        copies.extend(&self.copies);
        copies.into_iter().filter(|(_, copies)| *copies > 0).map(|(key, copies)| (key, key, copies)).collect()
    }

    pub fn verdict(&self) -> Verdict {
        judge(&self.history())
    }

    /// When it counts as recovered, from its origin.
    pub fn recovered_at(&self) -> Option<Duration> {
        recovered_at(&Facts::gather(&self.history()))
    }

    pub fn recovery(&self) -> Recovery {
        self.verdict().measures.time_to_recover
    }

    /// The one finding of the one check that fails.
    #[track_caller]
    pub fn only_finding(&self, check: Check) -> String {
        let verdict = self.verdict();
        assert_eq!(verdict.doubts, Vec::<String>::new());
        let failed: Vec<Check> = verdict.failures().map(|(check, _)| check).collect();
        assert_eq!(failed, [check], "{verdict:#?}");
        self.finding(check)
    }

    /// The findings of one check, which must fail.
    #[track_caller]
    pub fn finding(&self, check: Check) -> String {
        let verdict = self.verdict();
        let findings = verdict.failures().find(|(failed, _)| *failed == check).map(|(_, findings)| findings);
        let findings = findings.unwrap_or_else(|| panic!("{check} did not fail: {verdict:#?}"));
        findings.iter().map(|finding| format!("{} {:?}", finding.what, finding.ops)).collect::<Vec<_>>().join("\n")
    }
}

/// Every operation of a run in which nothing happens.
fn grid(workers: u32) -> Vec<Op> {
    const ROUND: [OpKind; 4] = [OpKind::Write, OpKind::Read, OpKind::Write, OpKind::Transaction];
    let mut ops: Vec<Op> = Vec::new();
    for step in 1.. {
        let at = ms(50 * step);
        if at >= STOP {
            return ops;
        }
        for worker in 0..workers {
            let id = ops.len() as u64 + 1;
            let began = at + ms(10 * u64::from(worker));
            let kind = ROUND[(step as usize + worker as usize) % 4];
            let kind = if step == 1 { OpKind::Write } else { kind };
            // Any key that is there does: only its own worker's acknowledged ones are read, and those are.
            let key = if kind == OpKind::Read { i64::from(worker) + 1 } else { id as i64 };
            let found = (kind == OpKind::Read).then_some(true);
            let ended = Some(began + ms(2));
            ops.push(Op {
                id,
                worker,
                kind,
                key,
                intended: began,
                began,
                ended,
                outcome: Outcome::Ok,
                found,
                error: None,
            });
        }
    }
    unreachable!("the grid ends")
}
