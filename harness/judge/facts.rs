//! A history arranged for the checks, in one pass over its events.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::subscription::Notifications;
use super::verdict::EvidenceSummary;
use crate::model::budget::RecoveryFrom;
use crate::model::fault::{Class, Fault};
use crate::model::history::{
    ClientFacts, ConnectionChange, Ended, Event, Evidence, FaultStep, Header, History, Op, Outcome, Phase, ServerFacts,
    Sessions, SupervisionStep,
};

/// The times of one fault.
pub(crate) struct FaultTimes<'a> {
    pub fault: &'a Fault,
    pub injecting: Option<Duration>,
    pub healed: Option<Duration>,
    /// Why the nemesis could not inject or heal it.
    pub failed: Vec<&'a str>,
    pub evidence: Vec<&'a Evidence>,
}

/// All that the checks read.
pub(crate) struct Facts<'a> {
    pub header: &'a Header,
    pub server: Option<&'a ServerFacts>,
    pub client: Option<&'a ClientFacts>,
    /// Ordered by completion; operations that never completed are last. The operations of one worker do not overlap,
    /// so they are also ordered by their begin.
    pub ops: Vec<&'a Op>,
    pub faults: Vec<FaultTimes<'a>>,
    /// When connections were opened, ascending; cancel-request connections are not counted.
    pub opened: Vec<Duration>,
    /// Connections open at the gateway, by id, with the time of their opening.
    held: BTreeMap<u64, Duration>,
    /// Number of connections whose bytes could not be parsed, and the reason for the last of them.
    pub unread: Option<(u64, &'a str)>,
    /// Connections open at the gateway after the workload ended, before the client was closed.
    pub settled_held: Option<u32>,
    /// When the gateway began or ceased to refuse connections. Refused connections are not in `opened`.
    pub refusing: Vec<(Duration, bool)>,
    pub steady: Option<Sessions>,
    pub settled: Option<Sessions>,
    /// Ranges of keys, each with its first key, its last key, and the number of copies of each key; ascending.
    pub ledger: Option<&'a [(i64, i64, u64)]>,
    /// The ledger of the server beside the primary, if one ran.
    pub ledger_beside: Option<&'a [(i64, i64, u64)]>,
    pub client_ended: Option<(Duration, &'a Ended)>,
    pub doubts: Vec<&'a str>,
    /// End of each measured second, CPU use and CPU pressure of the machine in percent.
    pub busy: Vec<(Duration, u8, Option<u8>)>,
    /// Exits and restarts of a supervised client, ascending.
    pub(super) supervision: Vec<(Duration, &'a SupervisionStep)>,
    /// Notifications sent to, and received by, a client that listens.
    pub(super) news: Notifications<'a>,
    /// When the steady state began.
    pub steady_since: Option<Duration>,
    /// Median round trips directly to the server, and through the gateway.
    pub calibration: Option<(Duration, Duration)>,
    /// When the workload stopped beginning operations; until `workload_ended` it waited for open ones.
    pub stopped: Option<Duration>,
    pub workload_ended: Option<Duration>,
    /// Latest time of an operation, a phase, a step of a fault, a connection's change, or the client's or workload's
    /// end.
    pub until: Duration,
    /// Computed once, by [`recovered_at`](super::recovered_at).
    pub(super) recovered: OnceCell<Option<Duration>>,
}

impl<'a> Facts<'a> {
    pub fn gather(history: &'a History) -> Facts<'a> {
        let fault_times =
            |fault| FaultTimes { fault, injecting: None, healed: None, failed: Vec::new(), evidence: Vec::new() };
        let mut facts = Facts {
            header: &history.header,
            server: None,
            client: None,
            ops: Vec::with_capacity(history.events.len()),
            faults: history.header.faults.iter().map(fault_times).collect(),
            opened: Vec::new(),
            held: BTreeMap::new(),
            unread: None,
            settled_held: None,
            refusing: Vec::new(),
            steady: None,
            settled: None,
            ledger: None,
            ledger_beside: None,
            client_ended: None,
            doubts: Vec::new(),
            busy: Vec::new(),
            supervision: Vec::new(),
            news: Notifications::default(),
            steady_since: None,
            calibration: None,
            stopped: None,
            workload_ended: None,
            until: Duration::ZERO,
            recovered: OnceCell::new(),
        };
        for event in &history.events {
            facts.add(event);
        }
        // A recorder writes in the order of time, but a stored history may be out of order, and every search below
        // relies on the order.
        facts.ops.sort_by_key(|op| op.ended.unwrap_or(Duration::MAX));
        facts.opened.sort();
        facts.supervision.sort_by_key(|(at, _)| *at);
        facts.news.sort();
        facts
    }

    fn add(&mut self, event: &'a Event) {
        match event {
            Event::Run(_) | Event::ServerErrors(_) => {}
            Event::Machine { at, busy, waited } => self.busy.push((*at, *busy, *waited)),
            Event::Refusing { at, on } => self.refusing.push((*at, *on)),
            Event::Server(server) => self.server = Some(server),
            Event::Client(client) => self.client = Some(client),
            Event::Calibration { direct, gateway } => self.calibration = Some((*direct, *gateway)),
            Event::Op(op) => {
                self.extend_until(op.ended.unwrap_or(op.began));
                self.ops.push(op);
            }
            Event::Phase { at, phase } => {
                match phase {
                    Phase::SteadyState => self.steady_since = Some(*at),
                    Phase::Audit => self.stopped = Some(*at),
                    _ => {}
                }
                self.extend_until(*at);
            }
            Event::Fault { at, fault, step } => {
                self.extend_until(*at);
                let Some(times) = self.faults.get_mut(*fault) else { return };
                match step {
                    FaultStep::Injecting => times.injecting = Some(*at),
                    FaultStep::Healed => times.healed = Some(*at),
                    FaultStep::Failed { reason } => times.failed.push(reason),
                    FaultStep::InForce | FaultStep::Healing => {}
                }
            }
            Event::Evidence { fault, found } => {
                if let Some(times) = self.faults.get_mut(*fault) {
                    times.evidence.push(found);
                }
            }
            Event::Connection { at, id, change } => {
                self.extend_until(*at);
                self.add_connection(*at, *id, change);
            }
            Event::SteadySessions(sessions) => self.steady = Some(*sessions),
            Event::SettledSessions(sessions) => {
                self.settled = Some(*sessions);
                self.settled_held = Some(self.held.len() as u32);
            }
            Event::Ledger { runs } => self.ledger = Some(runs),
            Event::LedgerBeside { runs } => self.ledger_beside = Some(runs),
            Event::ClientEnded { at, how } => {
                self.extend_until(*at);
                // The first end causes the later ones, but a violation of the protocol outweighs any of them.
                if self.client_ended.is_none() || matches!(how, Ended::Violated { .. }) {
                    self.client_ended = Some((*at, how));
                }
            }
            Event::Notified { .. } | Event::Heard { .. } | Event::Gap { .. } | Event::Unsubscribed { .. } => {
                self.news.add(event);
            }
            Event::Supervision { at, step } => {
                self.extend_until(*at);
                self.supervision.push((*at, step));
            }
            Event::Doubt { reason, .. } => self.doubts.push(reason),
            Event::WorkloadEnded { at } => {
                self.workload_ended = Some(*at);
                self.extend_until(*at);
            }
        }
    }

    fn add_connection(&mut self, at: Duration, id: u64, change: &'a ConnectionChange) {
        match change {
            ConnectionChange::Opened => {
                self.opened.push(at);
                self.held.insert(id, at);
            }
            ConnectionChange::CancelRequested => {
                let opened = self.held.remove(&id);
                self.opened.retain(|at| Some(*at) != opened);
            }
            ConnectionChange::Opaque { why } => {
                self.unread = Some((self.unread.map_or(0, |(count, _)| count) + 1, why));
            }
            ConnectionChange::Ended { .. } => {
                self.held.remove(&id);
            }
            _ => {}
        }
    }

    fn extend_until(&mut self, at: Duration) {
        self.until = self.until.max(at);
    }

    /// Whether the client is a black-box application, of which only its traffic through the gateway is observed.
    pub fn is_black_box(&self) -> bool {
        self.header.setup.application.is_some()
    }

    /// Operations open at once. A black-box application counts as one worker, because its own workers are unknown.
    pub fn workers(&self) -> u32 {
        if self.is_black_box() {
            return 1;
        }
        let load = &self.header.load;
        self.client.map_or(load.workers, |client| load.workers_of(client.concurrency))
    }

    /// Connections that the client may hold: its pool, and one more if it listens.
    pub fn slots(&self) -> u32 {
        self.client.map_or(0, |client| client.concurrency) + u32::from(self.header.load.listen)
    }

    /// Whether the client has received a notification, or the scenario has no subscription.
    pub fn is_listening(&self) -> bool {
        !self.header.load.listen || self.news.has_received_any()
    }

    /// When the first fault began to be injected.
    pub fn hit(&self) -> Option<Duration> {
        self.faults.iter().filter_map(|fault| fault.injecting).min()
    }

    /// When the last fault began to be injected. Operations that began before it prove no recovery.
    pub fn last_injection(&self) -> Option<Duration> {
        self.faults.iter().filter_map(|fault| fault.injecting).max()
    }

    /// Why recovery is not timed, if [`recovery_starts`](Facts::recovery_starts) is `None`.
    pub fn why_no_recovery(&self) -> &'static str {
        match self.faults.iter().all(|times| times.fault.kind.can_be_healed()) {
            true => "a fault was not healed",
            false => "the fault cannot be healed while the client runs",
        }
    }

    /// When the last fault was healed; `None` while one is not.
    pub fn healed(&self) -> Option<Duration> {
        self.faults.iter().map(|fault| fault.healed).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The time from which recovery is measured; `None` before the heal, and for a fault that cannot be healed. A start within
    /// a pause of the workload is moved to the end of the pause, because the client gets no operations before that.
    pub fn recovery_starts(&self) -> Option<Duration> {
        let healed = self.healed()?;
        if self.faults.iter().any(|times| !times.fault.kind.can_be_healed()) {
            return None;
        }
        let starts = match self.header.budget.from {
            RecoveryFrom::Heal => healed,
            RecoveryFrom::Inject => self.last_injection()?,
        };
        Some(self.pause().filter(|pause| pause.contains(&starts)).map_or(starts, |pause| pause.end))
    }

    /// The pause of the workload, in which no operation begins.
    pub fn pause(&self) -> Option<Range<Duration>> {
        let pause = self.header.load.pause?;
        // Without a steady state the plan's times count from the first fault, which is at zero.
        let from = self.steady_since.or(self.hit())? + pause.at;
        Some(from..from + pause.lasts)
    }

    /// When the workload ended; [`until`](Facts::until) if it did not.
    pub fn end(&self) -> Duration {
        self.workload_ended.unwrap_or(self.until)
    }

    /// When the workload stopped beginning operations; its end if that is unknown.
    pub fn stop(&self) -> Duration {
        self.stopped.map_or(self.end(), |stopped| stopped.min(self.end()))
    }

    pub fn is_persistent(&self) -> bool {
        self.header.class == Class::Persistent
    }

    /// Operations answered at this time or later, in order of their answers.
    pub fn answered_since(&self, at: Duration) -> impl Iterator<Item = &'a Op> {
        let from = self.ops.partition_point(|op| op.ended.is_some_and(|ended| ended < at));
        self.ops[from..].iter().copied().take_while(|op| op.ended.is_some())
    }

    pub fn evidence_summary(&self) -> Vec<EvidenceSummary> {
        let summary = |times: &FaultTimes| EvidenceSummary {
            fault: times.fault.kind.to_string(),
            found: self.evidence_of(times),
        };
        self.faults.iter().map(summary).collect()
    }

    /// Evidence of one fault: what the nemesis counted and, for faults whose failures are evidence
    /// ([`failures_are_evidence`](crate::model::fault::FaultKind::failures_are_evidence)), the operations that failed or were held up.
    ///
    /// A client that opens a connection for each operation may hold none at the moment the server stops, so it loses
    /// none, but each operation that fails before the server is back shows the fault. Other faults leave evidence of
    /// their own in the server's log, which a failed operation does not replace.
    pub fn evidence_of(&self, times: &FaultTimes) -> Vec<Evidence> {
        let mut found: Vec<Evidence> = times.evidence.iter().map(|found| (*found).clone()).collect();
        let away = times.fault.kind.failures_are_evidence();
        if let (Some(from), Some(to), true) = (times.injecting, times.healed, away) {
            let waited = |op: &Op| op.ended > Some(to) && op.began + self.header.budget.stall_threshold <= to;
            let felt =
                self.answered_since(from).filter(|op| op.began >= from && op.began <= to && (!is_ok(op) || waited(op)));
            let what = "operations failed or held up meanwhile".to_owned();
            found.push(Evidence { what, count: felt.map(|op| op.count).sum(), decisive: true });
        }
        found
    }
}

/// Whether the operation succeeded.
pub(super) fn is_ok(op: &Op) -> bool {
    op.outcome == Outcome::Ok
}
