//! Drives a client: workers that write, read back and commit, each on its own grid of intended starts.
//!
//! Knows nothing of faults. Every operation is recorded when it is answered, or as open when the workload ends.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use rand::RngExt;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::client::DynClient;
use crate::history::{Ended, ErrorKind, Event, Op, OpError, OpKind, Outcome};
use crate::load::Load;
use crate::recorder::Recorder;
use crate::seed::Seed;
use crate::sqlstate;

/// The order in which a worker asks; each worker begins one further on, so that at any instant half of them write.
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
    next_id: AtomicU64,
    /// Operations that have no answer yet.
    open: Mutex<BTreeMap<u64, Op>>,
    stop: CancellationToken,
}

impl Workload {
    /// Sets workers to work on a client, no more than it can carry.
    pub fn start(client: Arc<dyn DynClient>, load: Load, seed: Seed, recorder: Recorder) -> Workload {
        let facts = client.facts();
        let workers = load.workers.min(facts.concurrency);
        let shared = Arc::new(Shared {
            client,
            recorder,
            interval: load.interval,
            transactional: facts.capabilities.iter().any(|capability| capability == "transaction"),
            next_id: AtomicU64::new(1),
            open: Mutex::default(),
            stop: CancellationToken::new(),
        });
        let mut rng = seed.fork("workload").rng();
        let workers = (0..workers)
            .map(|worker| {
                // Spread over one interval, so that workers do not march in step.
                let offset = load.interval.mul_f64(rng.random::<f64>());
                AbortOnDropHandle::new(tokio::spawn(Arc::clone(&shared).work(worker, offset)))
            })
            .collect();
        Workload { shared, workers }
    }

    /// Begins no more operations, waits a while for those that are open, and records the rest as they are.
    pub async fn finish(self, grace: Duration) {
        self.shared.stop.cancel();
        // Whoever is still at it afterwards is aborted with its handle.
        let _ = timeout(grace, join_all(self.workers)).await;
        let open = std::mem::take(&mut *self.shared.open.lock().unwrap_or_else(PoisonError::into_inner));
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
                () = self.stop.cancelled() => return,
                () = sleep_until(self.recorder.instant(intended)) => {}
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
            intended = self.next_start(intended);
        }
    }

    /// Carries out one operation and records it.
    ///
    /// *Errors*: the client panicked; there is nothing more to ask of it.
    async fn perform(&self, worker: u32, id: u64, kind: OpKind, key: i64, intended: Duration) -> Result<Outcome, ()> {
        let began = self.recorder.now();
        let mut op = Op {
            id,
            worker,
            kind,
            key,
            intended,
            began,
            ended: None,
            // What it is for as long as nobody knows better.
            outcome: Outcome::Info,
            found: None,
            error: None,
        };
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, op.clone());
        let answer = AssertUnwindSafe(self.client.perform(id, kind, key)).catch_unwind().await;
        // Gone if the workload has ended meanwhile, and then recorded as open.
        if self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id).is_none() {
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

    /// The next start on the grid. Starts that were missed are not made up for: the operation that overran them has
    /// shown the delay, and a burst after an outage would be our doing.
    fn next_start(&self, intended: Duration) -> Duration {
        let now = self.recorder.now();
        let missed = now.saturating_sub(intended).as_nanos() / self.interval.as_nanos().max(1);
        intended + self.interval * (missed as u32 + 1)
    }
}

/// Whether a failed operation is known not to have happened.
fn classify(kind: OpKind, error: &OpError) -> Outcome {
    let no_effect = match &error.sqlstate {
        Some(code) => sqlstate::proves_no_effect(code),
        None => error.kind == ErrorKind::Refused,
    };
    if no_effect || !kind.writes() { Outcome::Fail } else { Outcome::Info }
}

fn message_of(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or_else(|| "with no message".into(), |text| (*text).to_owned()),
    }
}
