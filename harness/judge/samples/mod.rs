//! Histories for tests of the judge: a healthy run whose faults, answers and audit can be changed one at a time.
//!
//! Four workers, each with an operation every 50 ms that takes 2 ms: steady from 1 s, the fault at 3 s, healed at 6 s,
//! workload stopped at 12 s. While the fault is in force every operation is refused.

mod record;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::judge::{Check, Facts, Recovery, Verdict, judge, recovered_at};
use crate::model::budget::Budget;
use crate::model::fault::{Class, Fault, FaultKind, StopMode};
use crate::model::history::{
    ClientFacts, Ended, ErrorKind, Evidence, FaultStep, Header, Op, OpError, OpKind, Outcome, RunSetup, Sessions,
    SupervisionStep,
};
use crate::model::pace::Pace;
use crate::model::seed::Seed;

pub(crate) const STEADY: Duration = ms(1_000);
pub(crate) const HIT: Duration = ms(3_000);
pub(crate) const HEAL: Duration = ms(6_000);
pub(crate) const STOP: Duration = ms(12_000);
/// End of the wait for open operations.
pub(crate) const END: Duration = ms(12_100);

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn refused() -> OpError {
    OpError::new(ErrorKind::Refused, "connection refused").with_retryable(true)
}

pub(crate) fn proof(what: &str, count: u64, decisive: bool) -> Evidence {
    Evidence { what: what.into(), count, decisive }
}

/// A history that tests can change.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub header: Header,
    pub client: ClientFacts,
    pub ops: Vec<Op>,
    pub steps: Vec<(Duration, usize, FaultStep)>,
    pub evidence: Vec<(usize, Evidence)>,
    pub opened: Vec<Duration>,
    /// Number of old connections that never end.
    pub lingering: usize,
    pub refusing: Option<(Duration, Duration)>,
    pub steady_since: Option<Duration>,
    pub steady: Option<Sessions>,
    pub settled: Option<Sessions>,
    /// Copies in the ledger by key, for keys that differ from "one copy of each acknowledged write".
    pub copies: BTreeMap<i64, u64>,
    /// Keys in the ledger of the server beside the primary, if there is one.
    pub beside: Option<Vec<i64>>,
    pub audited: bool,
    pub ended: Option<(Duration, Ended)>,
    pub doubts: Vec<String>,
    /// Exits and restarts of a supervised client.
    pub supervision: Vec<(Duration, SupervisionStep)>,
    pub finished: bool,
    /// When each notification was sent, and when it arrived.
    pub news: Vec<(Duration, Option<Duration>)>,
    pub gaps: Vec<Duration>,
    pub given_up: Option<(Duration, OpError)>,
}

impl Sample {
    /// A restart that the client survives without any violation.
    pub fn healthy() -> Sample {
        let fault = Fault { kind: FaultKind::Restart(StopMode::Fast), at: HIT - STEADY, lasts: HEAL - HIT };
        let header = Header {
            format: crate::model::history::FORMAT,
            pgsquall: "0.0.0".into(),
            setup: RunSetup::new("sample", "sample", Seed(7)),
            title: "Sample".into(),
            class: Class::Transient,
            faults: vec![fault],
            precedes_client: false,
            budget: Budget { time_to_recover: ms(4_000), ..Budget::default() },
            load: Pace::default(),
            middlebox: None,
            layout: Default::default(),
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
            ops: record::grid(4),
            steps: Vec::new(),
            evidence: vec![(0, proof("sessions lost", 4, true))],
            opened: (0..4).flat_map(|slot| [ms(50 + slot), HEAL + ms(10 + slot)]).collect(),
            lingering: 0,
            refusing: None,
            steady_since: Some(STEADY),
            steady: Some(sessions),
            settled: Some(sessions),
            copies: BTreeMap::new(),
            beside: None,
            audited: true,
            ended: None,
            doubts: Vec::new(),
            supervision: Vec::new(),
            finished: true,
            news: Vec::new(),
            gaps: Vec::new(),
            given_up: None,
        };
        sample.fault_at(0, HIT, HEAL);
        sample.fail(|op| op.began >= HIT && op.began < HEAL, &refused());
        sample
    }

    /// A healthy run of a client that also listens: a notification every 100 ms arrives within 1 ms, except for those sent
    /// while the fault was in force. The client reports one gap.
    pub fn listening() -> Sample {
        let mut sample = Sample::healthy();
        sample.header.load.listen = true;
        sample.news = (1..120).map(|step| (ms(100 * step), Some(ms(100 * step + 1)))).collect();
        sample.gaps = vec![HEAL];
        sample.miss(HIT, HEAL);
        sample
    }

    /// Loses the notifications sent from `from` until before `to`.
    pub fn miss(&mut self, from: Duration, to: Duration) -> &mut Sample {
        self.news.iter_mut().filter(|(sent, _)| (from..to).contains(sent)).for_each(|(_, heard)| *heard = None);
        self
    }

    /// Records that a fault was injected and healed.
    pub fn fault_at(&mut self, fault: usize, inject: Duration, heal: Duration) {
        let steps = [FaultStep::Injecting, FaultStep::InForce, FaultStep::Healing, FaultStep::Healed];
        self.steps.retain(|(_, of, _)| *of != fault);
        self.steps.extend(steps.into_iter().zip([inject, inject, heal, heal]).map(|(step, at)| (at, fault, step)));
    }

    /// Makes the selected operations fail.
    pub fn fail(&mut self, which: impl Fn(&Op) -> bool, error: &OpError) -> &mut Sample {
        self.change(which, |op| (op.outcome, op.found, op.error) = (Outcome::Fail, None, Some(error.clone())))
    }

    /// Makes the selected operations succeed.
    pub fn succeed(&mut self, which: impl Fn(&Op) -> bool) -> &mut Sample {
        self.change(which, |op| {
            (op.outcome, op.error) = (Outcome::Ok, None);
            op.found = (op.kind == OpKind::Read.into()).then_some(true);
        })
    }

    pub fn change(&mut self, which: impl Fn(&Op) -> bool, change: impl Fn(&mut Op)) -> &mut Sample {
        self.ops.iter_mut().filter(|op| which(op)).for_each(change);
        self
    }

    /// Keeps the first operation that the worker begins at `from` or later open for ever.
    pub fn hang(&mut self, worker: u32, from: Duration) -> &mut Sample {
        let first = self.answer_at(worker, from, END);
        self.change(|op| op.id == first, |op| (op.ended, op.outcome, op.found) = (None, Outcome::Info, None))
    }

    /// Lets the first operation that the worker begins at `from` or later end at `ended`, and removes the worker's
    /// operations in between. Returns its id.
    pub fn answer_at(&mut self, worker: u32, from: Duration, ended: Duration) -> u64 {
        let mine = |op: &&Op| op.worker == worker && op.began >= from;
        let first = self.ops.iter().filter(mine).min_by_key(|op| op.began).expect("it begins one").id;
        self.ops.retain(|op| op.worker != worker || op.began < from || op.began >= ended || op.id == first);
        self.change(|op| op.id == first, |op| op.ended = Some(ended));
        first
    }

    /// The first operation that the worker begins at this time or later.
    pub fn op(&self, worker: u32, from: Duration) -> &Op {
        let mine = |op: &&Op| op.worker == worker && op.began >= from;
        self.ops.iter().filter(mine).min_by_key(|op| op.began).expect("it begins one")
    }

    pub fn verdict(&self) -> Verdict {
        judge(&self.history())
    }

    /// When the client counts as recovered, from the run's origin.
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
