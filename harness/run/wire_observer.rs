//! Black-box mode: turns an application's traffic at the gateway into operations.
//!
//! The observer is the gateway's tap in such a run. Each request is an operation, from its first byte at the gateway
//! until the server has finished it or the connection is gone; each failed sign-in is one too. The observer does not
//! see what the application reports to its own users, or does without a server.
//!
//! Short operations of the same kind, outcome and error within 10 ms are recorded as one operation with a count, so the
//! time-to-recover of an application is exact to 10 ms.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::client::DynClient;
use crate::gateway::Tap;
use crate::model::history::{
    ConnectionChange, ErrorKind, Event, ObservedOp, Op, OpError, Outcome, RecordedOp, Severed,
};
use crate::model::sqlstate;
use crate::recorder::Recorder;

/// Interval at which operations are recorded; equal ones within this time are recorded as one, with a count.
const RECORD_EVERY: Duration = Duration::from_millis(10);

/// An operation that takes longer than this is recorded by itself.
const WORTH_A_RECORD: Duration = Duration::from_millis(50);

/// Observes one application; idle until [`begin`](WireObserver::begin).
pub(crate) struct WireObserver {
    recorder: Recorder,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    watching: bool,
    /// The id of the newest operation.
    newest: u64,
    connections: BTreeMap<u64, Connection>,
    /// Operations that have ended and are not recorded yet.
    ended: Vec<Op>,
}

/// The state of one connection.
struct Connection {
    opened: Duration,
    /// Whether the sign-in has succeeded.
    signed_in: bool,
    /// Whether the gateway cannot parse its bytes, for example because of TLS.
    opaque: bool,
    /// An error that the server sent outside of a request.
    error: Option<OpError>,
    /// Requests without a reply, the oldest first.
    open: VecDeque<Open>,
}

struct Open {
    id: u64,
    began: Duration,
    error: Option<OpError>,
}

impl WireObserver {
    pub fn new(recorder: Recorder) -> Arc<WireObserver> {
        Arc::new(WireObserver { recorder, state: Mutex::default() })
    }

    /// Counts connections opened from now on as the application's. Records until the handle is dropped.
    pub fn begin(self: &Arc<Self>) -> Watching {
        self.state().watching = true;
        let observation = Arc::clone(self);
        let recording = AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                sleep(RECORD_EVERY).await;
                observation.record();
            }
        }));
        Watching { observation: Arc::clone(self), _recording: recording, pausing: OnceLock::new() }
    }

    /// Stops observing, and records requests that have no reply yet as open operations.
    fn end(&self) {
        let (ended, connections) = {
            let mut state = self.state();
            state.watching = false;
            (std::mem::take(&mut state.ended), std::mem::take(&mut state.connections))
        };
        ended.into_iter().for_each(|op| self.recorder.record(Event::Op(op)));
        self.recorder.record_now(|at| Event::WorkloadEnded { at });
        for open in connections.into_values().flat_map(|connection| connection.open) {
            let op = operation(open.id, ObservedOp::Statement, open.began, None, Outcome::Info, open.error);
            self.recorder.record(Event::Op(op));
        }
    }

    fn record(&self) {
        let ended = std::mem::take(&mut self.state().ended);
        ended.into_iter().for_each(|op| self.recorder.record(Event::Op(op)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// A running observation.
pub(crate) struct Watching {
    observation: Arc<WireObserver>,
    _recording: AbortOnDropHandle<()>,
    pausing: OnceLock<AbortOnDropHandle<()>>,
}

impl Watching {
    /// Pauses the application's load from `from` until `until`.
    pub fn pause(&self, client: Arc<dyn DynClient>, from: Instant, until: Instant) {
        let pausing = AbortOnDropHandle::new(tokio::spawn(async move {
            sleep_until(from).await;
            client.pause(true);
            sleep_until(until).await;
            client.pause(false);
        }));
        // There is one timeline per run, so this is set once.
        let _ = self.pausing.set(pausing);
    }

    /// Stops observing, and records the end of the workload.
    pub fn end(self) {
        self.observation.end();
    }
}

impl Tap for WireObserver {
    fn connection(&self, id: u64, change: ConnectionChange) {
        let seen = change.clone();
        // Recorded first, so that a reader of an operation finds its connection.
        let at = self.recorder.record_now(|at| Event::Connection { at, id, change });
        self.state().see(id, at, seen);
    }

    fn refusing(&self, on: bool) {
        Tap::refusing(&self.recorder, on);
    }

    fn doubt(&self, reason: String) {
        Tap::doubt(&self.recorder, reason);
    }

    fn observes(&self) -> bool {
        true
    }

    fn request_started(&self, id: u64) {
        let began = self.recorder.now();
        let mut state = self.state();
        let newest = state.newest + 1;
        if let Some(connection) = state.connections.get_mut(&id) {
            connection.open.push_back(Open { id: newest, began, error: None });
            state.newest = newest;
        }
    }

    fn request_finished(&self, id: u64, idle: bool) {
        let at = self.recorder.now();
        let mut state = self.state();
        let Some(connection) = state.connections.get_mut(&id) else { return };
        let Some(Open { id, began, error }) = connection.open.pop_front() else { return };
        if idle {
            // The server finishes no request that was sent behind one that began a COPY.
            connection.open.clear();
        }
        let outcome = match &error {
            None => Outcome::Ok,
            Some(error) => outcome_of(error),
        };
        state.end(operation(id, ObservedOp::Statement, began, Some(at), outcome, error));
    }
}

impl State {
    fn see(&mut self, id: u64, at: Duration, change: ConnectionChange) {
        if matches!(change, ConnectionChange::Opened) && self.watching {
            let connection =
                Connection { opened: at, signed_in: false, opaque: false, error: None, open: VecDeque::new() };
            self.connections.insert(id, connection);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match change {
            // A replication stream never ends, and a cancel request is not an operation.
            ConnectionChange::CancelRequested | ConnectionChange::Startup { replication: true, .. } => {
                self.connections.remove(&id);
            }
            ConnectionChange::Opaque { .. } => connection.opaque = true,
            ConnectionChange::Backend { .. } => connection.signed_in = true,
            ConnectionChange::Error { severity, sqlstate, message } if severity != "WARNING" => {
                let error = OpError::new(ErrorKind::Server, message.unwrap_or(severity));
                let error = OpError { sqlstate, ..error };
                let of = connection.open.front_mut().map_or(&mut connection.error, |open| &mut open.error);
                of.get_or_insert(error);
            }
            ConnectionChange::Ended { by, .. } => {
                if let Some(connection) = self.connections.remove(&id) {
                    self.lose(connection, at, by);
                }
            }
            _ => {}
        }
    }

    /// Ends the open requests of a closed connection, or its sign-in if that had not succeeded.
    fn lose(&mut self, connection: Connection, at: Duration, by: Severed) {
        let Connection { opened, signed_in, opaque, error, open } = connection;
        let in_words = |what: &str| match by {
            Severed::ByClient => {
                OpError::new(ErrorKind::Closed, format!("the application closed the connection {what}"))
            }
            Severed::ByServer | Severed::Closed => {
                OpError::new(ErrorKind::Closed, format!("the connection was closed {what}"))
            }
            _ => OpError::new(ErrorKind::Reset, format!("the connection was reset {what}")),
        };
        if by == Severed::Teardown {
            return;
        }
        if !signed_in && !opaque {
            self.newest += 1;
            let error = error.unwrap_or_else(|| in_words("before the session began"));
            self.end(operation(self.newest, ObservedOp::SignIn, opened, Some(at), Outcome::Fail, Some(error)));
            return;
        }
        for Open { id, began, error: own } in open {
            let error = own.or_else(|| error.clone()).unwrap_or_else(|| in_words("before the answer"));
            self.end(operation(id, ObservedOp::Statement, began, Some(at), Outcome::Info, Some(error)));
        }
    }

    /// Counts an ended operation with an equal one that is not recorded yet, or keeps it by itself.
    fn end(&mut self, op: Op) {
        if !self.watching {
            return;
        }
        let took = |op: &Op| op.ended.unwrap_or(op.began).saturating_sub(op.began);
        let label = |op: &Op| op.error.as_ref().map(OpError::label);
        let same = self.ended.iter_mut().find(|known| {
            (known.kind, known.outcome) == (op.kind, op.outcome)
                && label(known) == label(&op)
                && took(known) <= WORTH_A_RECORD
        });
        match same {
            Some(known) if took(&op) <= WORTH_A_RECORD => {
                known.count += 1;
                // The first failure shows when failures began, the last success that they have ended.
                if op.outcome == Outcome::Ok {
                    *known = Op { count: known.count, ..op };
                }
            }
            _ => self.ended.push(op),
        }
    }
}

/// The outcome of an error reply. An error of the statement itself is `Ok`, because the server works.
fn outcome_of(error: &OpError) -> Outcome {
    match error.sqlstate.as_deref() {
        Some(code) if !sqlstate::is_of_the_session(code) => Outcome::Ok,
        Some(code) if sqlstate::proves_no_effect(code) => Outcome::Fail,
        _ => Outcome::Info,
    }
}

fn operation(
    id: u64,
    kind: ObservedOp,
    began: Duration,
    ended: Option<Duration>,
    outcome: Outcome,
    error: Option<OpError>,
) -> Op {
    let kind = RecordedOp::Seen(kind);
    Op { id, worker: 0, kind, key: 0, intended: began, began, ended, outcome, found: None, error, count: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::History;
    use crate::model::seed::Seed;
    use crate::plan::Plan;
    use crate::scenario::Scenario;

    fn recorder() -> Recorder {
        let header = Plan::new(&Scenario::built_in("stall").unwrap(), "app", Seed(1), 0, 1).header;
        Recorder::begin(header, None, None)
    }

    /// The operations recorded of this traffic.
    async fn ops_of(traffic: impl AsyncFnOnce(&WireObserver)) -> Vec<Op> {
        let recorder = recorder();
        let observation = WireObserver::new(recorder.clone());
        let watching = observation.begin();
        traffic(&observation).await;
        sleep(Duration::from_secs(1)).await;
        watching.end();
        let History { events, .. } = recorder.finish().unwrap();
        events.into_iter().filter_map(|event| if let Event::Op(op) = event { Some(op) } else { None }).collect()
    }

    fn open(observation: &WireObserver, id: u64) {
        for change in [ConnectionChange::Opened, ConnectionChange::Authenticated, ConnectionChange::Backend { pid: 1 }]
        {
            observation.connection(id, change);
        }
    }

    fn error(observation: &WireObserver, id: u64, code: &str) {
        let (severity, sqlstate) = ("ERROR".into(), Some(code.into()));
        observation.connection(id, ConnectionChange::Error { severity, sqlstate, message: None });
    }

    fn end(observation: &WireObserver, id: u64, by: Severed) {
        observation.connection(id, ConnectionChange::Ended { by, upstream: 0, downstream: 0 });
    }

    /// Kind, outcome, error and count.
    fn summarize(ops: &[Op]) -> Vec<(String, Outcome, Option<String>, u64)> {
        let label = |op: &Op| op.error.as_ref().map(OpError::label);
        ops.iter().map(|op| (op.kind.to_string(), op.outcome, label(op), op.count)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn equal_ops_are_joined_and_slow_ones_are_not() {
        let ops = ops_of(async |observation| {
            open(observation, 1);
            for _ in 0..5 {
                observation.request_started(1);
                observation.request_finished(1, true);
            }
            observation.request_started(1);
            sleep(Duration::from_millis(80)).await;
            observation.request_finished(1, true);
        })
        .await;
        let ok = |count| ("statement".to_owned(), Outcome::Ok, None, count);
        assert_eq!(summarize(&ops), [ok(5), ok(1)]);
        assert_eq!(ops[1].ended.unwrap() - ops[1].began, Duration::from_millis(80));
    }

    #[tokio::test(start_paused = true)]
    async fn statement_errors_and_session_errors_differ() {
        let ops = ops_of(async |observation| {
            open(observation, 1);
            for code in ["23505", "25P02", "57P01"] {
                observation.request_started(1);
                error(observation, 1, code);
                observation.request_finished(1, true);
            }
        })
        .await;
        let op = |outcome, code: &str| ("statement".to_owned(), outcome, Some(code.to_owned()), 1);
        assert_eq!(summarize(&ops), [op(Outcome::Ok, "23505"), op(Outcome::Fail, "25P02"), op(Outcome::Info, "57P01")]);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_of_a_lost_connection_are_info() {
        let ops = ops_of(async |observation| {
            for (id, by) in [(1, Severed::ServerReset), (2, Severed::ByClient), (3, Severed::ByServer)] {
                open(observation, id);
                observation.request_started(id);
                if id == 3 {
                    error(observation, id, "57P01");
                }
                end(observation, id, by);
            }
            // The loss of an idle connection fails no operation.
            open(observation, 4);
            end(observation, 4, Severed::ServerReset);
        })
        .await;
        let lost = |label: &str| ("statement".to_owned(), Outcome::Info, Some(label.to_owned()), 1);
        assert_eq!(summarize(&ops), [lost("reset"), lost("closed"), lost("57P01")]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_failed_sign_ins_are_ops() {
        let ops = ops_of(async |observation| {
            observation.connection(1, ConnectionChange::Opened);
            error(observation, 1, "28P01");
            end(observation, 1, Severed::ByServer);
            observation.connection(2, ConnectionChange::Opened);
            end(observation, 2, Severed::ServerReset);
            open(observation, 3);
            end(observation, 3, Severed::ByClient);
            for (id, change) in
                [(4, ConnectionChange::CancelRequested), (5, ConnectionChange::Opaque { why: "TLS".into() })]
            {
                observation.connection(id, ConnectionChange::Opened);
                observation.connection(id, change);
                end(observation, id, Severed::ByClient);
            }
        })
        .await;
        let failed = |label: &str| ("sign-in".to_owned(), Outcome::Fail, Some(label.to_owned()), 1);
        assert_eq!(summarize(&ops), [failed("28P01"), failed("reset")]);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_open_at_the_end_are_open_ops() {
        let recorder = recorder();
        let observation = WireObserver::new(recorder.clone());
        open(&observation, 1);
        let watching = observation.begin();
        observation.request_started(1);
        observation.request_finished(1, true);
        open(&observation, 2);
        observation.request_started(2);
        watching.end();
        observation.request_finished(2, true);
        let ops: Vec<Op> = recorder
            .finish()
            .unwrap()
            .events
            .into_iter()
            .filter_map(|event| match event {
                Event::Op(op) => Some(op),
                _ => None,
            })
            .collect();
        assert_eq!((summarize(&ops), ops[0].ended), (vec![("statement".into(), Outcome::Info, None, 1)], None));
    }
}
