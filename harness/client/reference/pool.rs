//! The pool behind the built-in clients: a fixed number of slots, each with one connection that is replaced when it is
//! lost.
//!
//! A caller takes a free slot or waits for one slot, chosen round robin. The pool retries, backs off and limits time as
//! its `Behaviour` says.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex as Lock;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio::time::{Instant, sleep};

use super::backoff;
use super::behaviour::{Behaviour, Cancels, Deadlines, Errors, Reconnects};
use super::connection::Connection;
use super::deadline::within;
use super::encryption::Connectors;
use super::errors::{is_worth_retrying, is_wrong_node, session_is_intact};
use super::lookup::{Lookup, ResolvedHost};
use super::transport::Transport;
use crate::client::Notifications;
use crate::credentials::address::Address;
use crate::model::history::{ErrorKind, OpError, OpKind};
use crate::model::seed::Seed;

/// After a connection error that no retry can fix, no slot opens a connection for this long, and operations that need
/// one fail with that error. Also the pause after such an error of the listening connection.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);

/// The delay that the defect *slows-down* adds to every operation: several intervals of the default workload.
const SLOWNESS: Duration = Duration::from_millis(200);

pub(super) struct Pool {
    address: Address,
    behaviour: Behaviour,
    connectors: Connectors,
    /// The network to its servers.
    transport: Transport,
    /// Source of the jitter of pauses.
    rng: Lock<ChaCha8Rng>,
    lookup: Lookup,
    slots: Vec<Mutex<Slot>>,
    /// The slot at which the next search begins, modulo the number of slots.
    next_slot: AtomicUsize,
    /// Wakes one waiter when an operation without an error returns its slot; only the defect *starves-waiters* waits
    /// for it.
    slot_returned: Notify,
    /// The last connection error that no retry can fix, and its time.
    refused: Lock<Option<(Instant, OpError)>>,
    /// Whether any connection was ever lost.
    ever_lost: AtomicBool,
    /// Connections that the defect *leaks-connections* never closes.
    leaked: Lock<Vec<Connection>>,
    /// The connection from which the defect *reads-old-snapshot* reads.
    snapshot: Mutex<Option<Connection>>,
}

#[derive(Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    /// Failed attempts since the last success; with the defect *backoff-never-resets*, since the start.
    failures: u32,
    ever_connected: bool,
    given_up: bool,
}

impl Pool {
    pub fn new(mut address: Address, behaviour: Behaviour, slots: u32, transport: Transport, seed: Seed) -> Pool {
        if behaviour.caches_password {
            // Only the password from the start of the run remains.
            (address.password_file, address.password_kept) = (None, None);
        }
        Pool {
            address,
            connectors: Connectors::new(behaviour.caches_certificates, &transport),
            transport,
            rng: Lock::new(seed.fork("jitter").rng()),
            lookup: Lookup::new(behaviour.caches_address, behaviour.first_address_only),
            behaviour,
            slots: (0..slots).map(|_| Mutex::default()).collect(),
            next_slot: AtomicUsize::new(0),
            slot_returned: Notify::new(),
            refused: Lock::default(),
            ever_lost: AtomicBool::new(false),
            leaked: Lock::default(),
            snapshot: Mutex::default(),
        }
    }

    /// The time limit of an operation that the client declares, including retries; `None` if a step has no limit.
    pub fn operation_deadline(&self) -> Option<Duration> {
        // The last attempt may begin just before the deadline. The sum omits the pause before that attempt, name
        // lookups, and the connect timeouts of further hosts.
        let Deadlines { connect, statement, operation } = self.behaviour.deadlines;
        Some(operation? + connect? + statement?)
    }

    /// Whether cancelled calls run to their own end.
    pub fn cancels_late(&self) -> bool {
        self.behaviour.cancels == Cancels::Late
    }

    pub async fn perform(&self, kind: OpKind, key: i64) -> Result<Option<bool>, OpError> {
        if self.behaviour.slows_down && self.ever_lost.load(Ordering::Relaxed) {
            sleep(SLOWNESS).await;
        }
        let done = self.perform_with_retries(kind, key).await;
        match done {
            Err(_) if self.behaviour.acknowledges_early && kind.writes() => Ok(None),
            Err(error) => Err(self.to_caller_error(error)),
            done => done,
        }
    }

    /// Retries until the operation succeeds, cannot succeed, or has taken too long.
    async fn perform_with_retries(&self, kind: OpKind, key: i64) -> Result<Option<bool>, OpError> {
        let began = Instant::now();
        let slot = async { Ok(self.acquire_slot().await) };
        // Waiting for a connection has a deadline too, except with the defect *starves-waiters*.
        let limit = self.behaviour.deadlines.operation.filter(|_| !self.behaviour.starves_waiters);
        let (index, mut slot) = within(limit, "waiting for a connection", slot).await?;
        let mut is_whole = true;
        loop {
            let error = match self.attempt(index, &mut slot, kind, key).await {
                Ok(found) => {
                    if !self.behaviour.never_resets_backoff {
                        slot.failures = 0;
                    }
                    drop(slot);
                    if is_whole {
                        self.slot_returned.notify_one();
                    }
                    return Ok(found);
                }
                Err(error) => error,
            };
            is_whole = false;
            slot.failures += 1;
            let late = self.behaviour.deadlines.operation.is_some_and(|limit| began.elapsed() >= limit);
            let hopeless = !is_worth_retrying(&error) && self.behaviour.backs_off;
            let indifferent = self.behaviour.acknowledges_early && kind.writes();
            if late || hopeless || indifferent || slot.given_up || self.behaviour.errors == Errors::Final {
                return Err(error);
            }
            if self.behaviour.never_resets_backoff {
                sleep(backoff::growing_delay(slot.failures)).await;
            } else if self.behaviour.backs_off {
                sleep(self.pause(slot.failures)).await;
            }
        }
    }

    /// One attempt on one slot. After an error the connection is dropped, with any statement in progress, unless the
    /// session is intact or the defect *stays-on-standby* keeps it.
    async fn attempt(&self, index: usize, slot: &mut Slot, kind: OpKind, key: i64) -> Result<Option<bool>, OpError> {
        if slot.connection.as_ref().is_some_and(|connection| connection.is_closed()) {
            self.drop_connection(slot, "it was closed while idle");
        }
        if slot.connection.is_none() {
            slot.connection = Some(Arc::new(self.connect(index, slot).await?));
        }
        // The connection leaves its slot while in use: if this future is dropped, the connection and its statement are
        // too, except with the defect *keeps-cancelled*.
        let connection = match self.behaviour.cancels {
            Cancels::KeepingTheConnection => slot.connection.clone(),
            Cancels::Cleanly | Cancels::Late => slot.connection.take(),
        };
        let Some(connection) = connection else {
            return Err(OpError::new(ErrorKind::Other, "no connection"));
        };
        slot.ever_connected = true;
        let mut limit = self.behaviour.deadlines.statement;
        // Dropped when the statement ends.
        let _canceller = limit.as_mut().filter(|_| self.behaviour.believes_cancelled).map(|limit| {
            let canceller = connection.cancel_after(*limit);
            // Leaves time for the reply to the cancellation.
            *limit *= 2;
            canceller
        });
        let done = within(limit, "the statement", async {
            match kind {
                OpKind::Write => connection.write(key).await.map(|()| None),
                OpKind::Transaction => Box::pin(connection.transaction(key)).await.map(|()| None),
                OpKind::Read if self.behaviour.reads_old_snapshot => {
                    Box::pin(self.read_snapshot(&connection, key)).await.map(Some)
                }
                OpKind::Read => connection.read(key).await.map(Some),
            }
        })
        .await;
        match &done {
            Err(error) if self.behaviour.stays_on_standby && is_wrong_node(error) => slot.connection = Some(connection),
            Err(error) if session_is_intact(error) && !connection.is_closed() => slot.connection = Some(connection),
            Err(error) => self.drop_connection(slot, &error.message),
            Ok(_) => slot.connection = Some(connection),
        }
        done
    }

    /// Listens on a connection of its own, which is replaced when it is lost.
    ///
    /// *Errors*: the connection was lost and must not be replaced (*never-reconnects*).
    pub async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        let (mut ever_listened, mut failures) = (false, 0);
        loop {
            let error = match self.subscribe().await {
                Ok(mut connection) => {
                    if ever_listened {
                        news.gap();
                    }
                    (ever_listened, failures) = (true, 0);
                    while let Some(payload) = connection.next_notification().await {
                        news.received(payload);
                    }
                    let lost = OpError::new(ErrorKind::Closed, "the listening connection was lost");
                    assert!(!self.behaviour.panics, "{lost}");
                    if self.behaviour.reconnects == Reconnects::Never {
                        return Err(lost);
                    }
                    lost
                }
                Err(error) => error,
            };
            failures += 1;
            match is_worth_retrying(&error) {
                true if self.behaviour.backs_off => sleep(self.pause(failures)).await,
                true => {}
                false => sleep(REFUSAL_PAUSE).await,
            }
        }
    }

    /// The pause after this many failures in a row.
    fn pause(&self, failures: u32) -> Duration {
        backoff::delay(failures, &mut *self.rng.lock())
    }

    async fn subscribe(&self) -> Result<Connection, OpError> {
        let connection = self.open(&self.resolve().await?).await?;
        within(self.behaviour.deadlines.statement, "LISTEN", connection.listen()).await?;
        Ok(connection)
    }

    /// Drops a connection, and records that one was lost.
    fn drop_connection(&self, slot: &mut Slot, why: &str) {
        assert!(!self.behaviour.panics, "the connection was lost: {why}");
        self.ever_lost.store(true, Ordering::Relaxed);
        slot.connection = None;
    }

    async fn connect(&self, index: usize, slot: &mut Slot) -> Result<Connection, OpError> {
        let replaced = slot.ever_connected;
        let abandons = match self.behaviour.reconnects {
            Reconnects::Always => false,
            Reconnects::Never => true,
            Reconnects::AllButOneSlot => index == 0,
        };
        if slot.given_up || (replaced && abandons) {
            slot.given_up = true;
            return Err(OpError::new(ErrorKind::Closed, "the connection was lost"));
        }
        if let Some(refusal) = self.remembered_refusal() {
            return Err(refusal);
        }
        if replaced && !self.behaviour.reconnect_delay.is_zero() {
            sleep(self.behaviour.reconnect_delay).await;
        }
        let opened = match self.resolve().await {
            Ok(hosts) => self.open(&hosts).await,
            Err(error) => {
                slot.given_up = self.behaviour.gives_up_on_transient_refusal;
                Err(error)
            }
        };
        if let Err(error) = &opened
            && self.behaviour.gives_up_on_transient_refusal
        {
            slot.given_up |= matches!(error.sqlstate.as_deref(), Some("57P03" | "53300"));
        }
        if let Err(error) = &opened
            && !is_worth_retrying(error)
            && self.behaviour.backs_off
        {
            *self.refused.lock() = Some((Instant::now(), error.clone()));
        }
        let opened = opened?;
        if replaced && self.behaviour.leaks {
            let spare = self.open(&self.resolve().await?).await?;
            self.leaked.lock().push(spare);
        }
        Ok(opened)
    }

    /// The current addresses of the servers.
    async fn resolve(&self) -> Result<Vec<ResolvedHost>, OpError> {
        self.lookup.resolve(&self.address, self.behaviour.deadlines.connect).await
    }

    async fn open(&self, hosts: &[ResolvedHost]) -> Result<Connection, OpError> {
        let connectors = || self.connectors.connector(&self.address);
        // Boxed, because connecting is rare and its future is larger than the rest of an operation.
        Box::pin(Connection::open(&self.address, hosts, &self.transport, connectors, &self.behaviour)).await
    }

    fn remembered_refusal(&self) -> Option<OpError> {
        let refused = self.refused.lock();
        refused.as_ref().filter(|(at, _)| at.elapsed() < REFUSAL_PAUSE).map(|(_, error)| error.clone())
    }

    async fn read_snapshot(&self, fresh: &Connection, key: i64) -> Result<bool, OpError> {
        if !self.ever_lost.load(Ordering::Relaxed) {
            return fresh.read(key).await;
        }
        let mut snapshot = self.snapshot.lock().await;
        if snapshot.as_ref().is_none_or(Connection::is_closed) {
            let opened = self.open(&self.resolve().await?).await?;
            opened.freeze_snapshot().await?;
            *snapshot = Some(opened);
        }
        match snapshot.as_ref() {
            Some(snapshot) => snapshot.read(key).await,
            None => fresh.read(key).await,
        }
    }

    /// Returns a free slot. If there is none, waits for one slot, chosen round robin; with the defect
    /// *starves-waiters*, for any slot that an operation without an error returns.
    async fn acquire_slot(&self) -> (usize, MutexGuard<'_, Slot>) {
        // Round robin, so that no connection lies idle for long.
        let first = self.next_slot.fetch_add(1, Ordering::Relaxed);
        loop {
            // Registers before searching, so that no slot returned in between is missed.
            let mut slot_returned = pin!(self.slot_returned.notified());
            slot_returned.as_mut().enable();
            for offset in 0..self.slots.len() {
                let index = (first + offset) % self.slots.len();
                if let Ok(slot) = self.slots[index].try_lock() {
                    return (index, slot);
                }
            }
            if !self.behaviour.starves_waiters {
                let index = first % self.slots.len();
                return (index, self.slots[index].lock().await);
            }
            slot_returned.await;
        }
    }

    /// The error as the caller receives it.
    fn to_caller_error(&self, error: OpError) -> OpError {
        let retryable = is_worth_retrying(&error);
        match self.behaviour.errors {
            Errors::Faithful => error.with_retryable(retryable),
            Errors::Swallowed => OpError::new(ErrorKind::Timeout, "the operation timed out").with_retryable(true),
            Errors::Final => error.with_retryable(false),
        }
    }

    pub async fn close(&self) {
        for slot in &self.slots {
            slot.lock().await.connection = None;
        }
        *self.snapshot.lock().await = None;
        self.leaked.lock().clear();
    }
}
