//! The workload: workers that write, read back and commit, each on its own grid of intended starts.
//!
//! Knows nothing of faults. No operation starts in a pause, so that the client's connections are idle. An operation is
//! recorded when it ends, or as open when the workload ends.
//!
//! A start that a slow operation overran is skipped, not made up for: the latency of that operation counts from its
//! intended start and shows the delay, and a burst after an outage would be the harness's doing. A pause belongs to
//! the workload, not to a fault: starts within it are skipped, the steady rate is measured before it, and recovery is
//! not timed within it. Pool waiters are created by running more workers than the client has connections; the pause
//! begins before the connections are lost, because a pool that fails to wake its waiters is rescued by any later call.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use parking_lot::Mutex;
use rand::RngExt;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::client::{Call, DynClient};
use crate::model::history::{Capability, Ended, ErrorKind, Event, Op, OpError, OpKind, Outcome};
use crate::model::pace::{Pace, Pause};
use crate::model::seed::Seed;
use crate::model::sqlstate;
use crate::recorder::Recorder;

/// The operations of a worker, in this order; each worker starts one further on, so that half of them write at any
/// time.
const ROUND: [OpKind; 4] = [OpKind::Write, OpKind::Read, OpKind::Write, OpKind::Transaction];

/// A workload under way; aborted when dropped.
pub(crate) struct Workload {
    shared: Arc<Shared>,
    workers: Vec<AbortOnDropHandle<()>>,
}

struct Shared {
    client: Arc<dyn DynClient>,
    recorder: Recorder,
    interval: Duration,
    transactional: bool,
    /// The application's timeout for every operation.
    deadline: Option<Duration>,
    /// The pause, in which no operation starts; set once the timeline has a zero.
    pause: OnceLock<Range<Duration>>,
    next_id: AtomicU64,
    /// Operations without a reply.
    open: Mutex<BTreeMap<u64, Op>>,
    stop: CancellationToken,
}

impl Workload {
    /// Starts the workers: at most one per connection of the client, or more if some are to wait.
    pub fn start(client: Arc<dyn DynClient>, load: Pace, seed: Seed, recorder: Recorder) -> Workload {
        let facts = client.facts();
        let workers = load.workers_of(facts.concurrency);
        let shared = Arc::new(Shared {
            client,
            recorder,
            interval: load.interval,
            transactional: facts.can(Capability::Transaction),
            deadline: load.deadline,
            pause: OnceLock::new(),
            next_id: AtomicU64::new(1),
            open: Mutex::default(),
            stop: CancellationToken::new(),
        });
        let mut rng = seed.fork("workload").rng();
        let workers = (0..workers)
            .map(|worker| {
                // Offsets are spread over one interval, so that workers do not start together. In whole microseconds,
                // the unit of histories.
                let offset = load.interval.mul_f64(rng.random::<f64>()).as_micros() as u64;
                let offset = Duration::from_micros(offset);
                AbortOnDropHandle::new(tokio::spawn(Arc::clone(&shared).work(worker, offset)))
            })
            .collect();
        Workload { shared, workers }
    }

    /// Starts no operation during a pause, whose times count from `zero`.
    pub fn pause(&self, zero: Duration, pause: Pause) {
        let from = zero + pause.at;
        // There is one timeline per run, so this is set once.
        let _ = self.shared.pause.set(from..from + pause.lasts);
    }

    /// Stops starting operations, waits up to `grace` for open ones, and records the rest as open.
    pub async fn finish(self, grace: Duration) {
        self.shared.stop.cancel();
        // Workers that still run afterwards are aborted with their handles.
        let _ = timeout(grace, join_all(self.workers)).await;
        let open = std::mem::take(&mut *self.shared.open.lock());
        self.shared.recorder.record_now(|at| Event::WorkloadEnded { at });
        open.into_values().for_each(|op| self.shared.recorder.record(Event::Op(op)));
    }
}

impl Shared {
    async fn work(self: Arc<Self>, worker: u32, offset: Duration) {
        let mut round = ROUND.iter().cycle().skip(worker as usize);
        let mut acknowledged = None;
        let mut intended = self.recorder.now() + offset;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = sleep_until(self.recorder.instant(intended)) => {}
            }
            if let Some(over) = self.pause.get().filter(|pause| pause.contains(&intended)).map(|pause| pause.end) {
                // Starts inside the pause are skipped, like missed ones.
                intended = self.next_start(intended, over);
                continue;
            }
            let kind = match round.next() {
                Some(OpKind::Transaction) if !self.transactional => OpKind::Write,
                Some(OpKind::Read) if acknowledged.is_none() => OpKind::Write,
                kind => *kind.unwrap_or(&OpKind::Write),
            };
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let key = acknowledged.filter(|_| kind == OpKind::Read).unwrap_or(id as i64);
            let Ok(outcome) = self.perform(worker, id, kind, key, intended).await else { return };
            if outcome == Outcome::Ok && kind.writes() {
                acknowledged = Some(key);
            }
            intended = self.next_start(intended, self.recorder.now());
        }
    }

    /// Carries out one operation and records it.
    ///
    /// *Errors*: the client panicked, or the workload has ended; the worker then stops.
    async fn perform(&self, worker: u32, id: u64, kind: OpKind, key: i64, intended: Duration) -> Result<Outcome, ()> {
        let began = self.recorder.now();
        let mut op = Op {
            id,
            worker,
            kind: kind.into(),
            key,
            intended,
            began,
            ended: None,
            // Open until the client replies.
            outcome: Outcome::Info,
            found: None,
            error: None,
            count: 1,
        };
        self.open.lock().insert(id, op.clone());
        let answer =
            AssertUnwindSafe(self.client.perform(Call { id, kind, key, deadline: self.deadline })).catch_unwind().await;
        // Absent if the workload has ended, which recorded it as open.
        if self.open.lock().remove(&id).is_none() {
            return Err(());
        }
        let panicked = match answer {
            Ok(Ok(found)) => {
                (op.outcome, op.found) = (Outcome::Ok, found);
                None
            }
            Ok(Err(error)) => {
                op.outcome = classify(kind, &error);
                op.error = Some(error);
                None
            }
            Err(panic) => {
                let message = message_of(panic);
                op.error = Some(OpError::new(ErrorKind::Other, format!("panicked: {message}")));
                Some(message)
            }
        };
        let outcome = op.outcome;
        self.recorder.record_now(|at| {
            op.ended = Some(at);
            Event::Op(op)
        });
        match panicked {
            None => Ok(outcome),
            Some(message) => {
                self.recorder.record_now(|at| Event::ClientEnded { at, how: Ended::Panicked { message } });
                Err(())
            }
        }
    }

    /// The next start on the grid after a time. Missed starts are skipped: the operation that overran them has shown
    /// the delay, and a burst after an outage would be the harness's doing.
    fn next_start(&self, intended: Duration, after: Duration) -> Duration {
        let missed = after.saturating_sub(intended).as_nanos() / self.interval.as_nanos().max(1);
        intended + self.interval * (missed as u32 + 1)
    }
}

/// The outcome of a failed operation: `Fail` if the error proves that it had no effect, or it is a read; else `Info`.
fn classify(kind: OpKind, error: &OpError) -> Outcome {
    let no_effect = match &error.sqlstate {
        Some(code) => sqlstate::proves_no_effect(code),
        None => error.kind == ErrorKind::Refused,
    };
    if no_effect || !kind.writes() { Outcome::Fail } else { Outcome::Info }
}

pub(crate) fn message_of(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or_else(|| "with no message".into(), |text| (*text).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::client::Notifications;
    use crate::model::history::{ClientFacts, History};
    use crate::plan::Plan;
    use crate::scenario::Scenario;

    /// A client that answers everything after some time.
    struct Prompt(Duration);

    #[async_trait]
    impl DynClient for Prompt {
        fn facts(&self) -> ClientFacts {
            ClientFacts {
                name: "prompt".into(),
                version: "1".into(),
                concurrency: 4,
                capabilities: Vec::new(),
                timeout: None,
            }
        }

        async fn listen(&self, _news: Notifications) -> Result<(), OpError> {
            Err(OpError::new(ErrorKind::Other, "this client does not listen"))
        }

        async fn perform(&self, call: Call) -> Result<Option<bool>, OpError> {
            tokio::time::sleep(self.0).await;
            Ok((call.kind == OpKind::Read).then_some(true))
        }

        fn ended(&self) -> Option<Ended> {
            None
        }

        async fn close(&self) {}
    }

    /// Ten seconds of a workload that pauses from 3 s to 7 s.
    async fn paused(answer: Duration) -> History {
        let header = Plan::new(&Scenario::built_in("stall").unwrap(), "prompt", Seed(1), 0, 1).header;
        let recorder = Recorder::begin(header, None, None);
        let workload = Workload::start(Arc::new(Prompt(answer)), Pace::default(), Seed(1), recorder.clone());
        tokio::time::sleep(Duration::from_secs(1)).await;
        workload.pause(recorder.now(), Pause { at: Duration::from_secs(2), lasts: Duration::from_secs(4) });
        tokio::time::sleep(Duration::from_secs(9)).await;
        workload.finish(Duration::from_secs(1)).await;
        recorder.finish().unwrap()
    }

    fn begun(history: &History) -> Vec<&Op> {
        history.events.iter().filter_map(|event| if let Event::Op(op) = event { Some(op) } else { None }).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn pause_skips_starts_and_does_not_repeat_them() {
        let history = paused(Duration::from_millis(2)).await;
        let ops = begun(&history);
        let secs = |from, to| (Duration::from_secs(from), Duration::from_secs(to));
        let between = |(from, to)| ops.iter().filter(|op| op.began >= from && op.began < to).count();
        assert_eq!(between(secs(3, 7)), 0);
        // Four workers, twenty starts a second each, before and after the pause.
        assert_eq!((between(secs(2, 3)), between(secs(7, 8)), between(secs(8, 9))), (80, 80, 80));
        for worker in 0..4 {
            let grid = ops.iter().filter(|op| op.worker == worker).map(|op| op.intended.as_micros() % 50_000);
            assert_eq!(grid.collect::<std::collections::BTreeSet<_>>().len(), 1, "worker {worker} left its grid");
        }
        assert!(
            ops.iter().all(|op| op.began - op.intended < Duration::from_millis(2)),
            "starts of the pause count as late"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn workers_can_outnumber_connections() {
        let header = Plan::new(&Scenario::built_in("stall").unwrap(), "prompt", Seed(1), 0, 1).header;
        let recorder = Recorder::begin(header, None, None);
        let load = Pace { callers_per_connection: 3, ..Pace::default() };
        let workload = Workload::start(Arc::new(Prompt(Duration::from_secs(9))), load, Seed(1), recorder.clone());
        tokio::time::sleep(Duration::from_secs(1)).await;
        workload.finish(Duration::from_secs(1)).await;
        let history = recorder.finish().unwrap();
        let workers: std::collections::BTreeSet<_> = begun(&history).iter().map(|op| op.worker).collect();
        assert_eq!(workers, (0..12).collect(), "each of the twelve callers has started one operation and waits");
    }

    #[tokio::test(start_paused = true)]
    async fn op_started_before_a_pause_ends_in_it() {
        let history = paused(Duration::from_millis(800)).await;
        let ops = begun(&history);
        let (from, to) = (Duration::from_secs(3), Duration::from_secs(7));
        assert!(ops.iter().all(|op| op.began < from || op.began >= to));
        assert!(ops.iter().any(|op| op.ended.is_some_and(|ended| ended > from && ended < to)));
        assert!(ops.iter().any(|op| op.began >= to));
    }
}
