//! The pool behind the built-in clients: a fixed number of slots, each with one connection, replaced when it is lost.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio::time::{Instant, sleep};

use super::backoff;
use super::behaviour::{Behaviour, Cancels, Deadlines, Errors, Reconnects};
use super::connection::{Connection, within};
use super::encryption::Connectors;
use super::lookup::{Found, Lookup};
use super::transport::Transport;
use crate::client::Notifications;
use crate::credentials::address::Address;
use crate::model::history::{ErrorKind, OpError, OpKind};
use crate::model::seed::Seed;
use crate::model::sqlstate;

/// After a refusal that no retry can cure, nobody asks again for this long.
const BREAKER: Duration = Duration::from_secs(1);

/// What the defect *slows-down* adds to every operation: several intervals of the default workload.
const SLOWNESS: Duration = Duration::from_millis(200);

pub(super) struct Pool {
    address: Address,
    behaviour: Behaviour,
    connectors: Connectors,
    /// How it gets to its servers.
    way: Transport,
    /// Whence the jitter of its pauses comes.
    chance: Lock<ChaCha8Rng>,
    lookup: Lookup,
    slots: Vec<Mutex<Slot>>,
    /// Whose turn it is.
    turn: AtomicUsize,
    /// What those listen for who wait for a slot, with the defect *starves-waiters*.
    given_back: Notify,
    /// The last refusal that no retry can cure, and when it came.
    refused: Lock<Option<(Instant, OpError)>>,
    /// Whether any connection was ever lost.
    scarred: AtomicBool,
    /// Connections that the defect *leaks-connections* has lost sight of.
    forgotten: Lock<Vec<Connection>>,
    /// The connection from which the defect *reads-old-snapshot* reads.
    snapshot: Mutex<Option<Connection>>,
}

#[derive(Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    /// Attempts that failed since the last that worked.
    failures: u32,
    ever_connected: bool,
    given_up: bool,
}

impl Pool {
    pub fn new(mut address: Address, behaviour: Behaviour, slots: u32, way: Transport, seed: Seed) -> Pool {
        if behaviour.caches_password {
            // What is left is the password with which the run began.
            (address.password_file, address.password_kept) = (None, None);
        }
        Pool {
            address,
            connectors: Connectors::new(behaviour.caches_certificates, &way),
            way,
            chance: Lock::new(seed.fork("jitter").rng()),
            lookup: Lookup::new(behaviour.caches_address, behaviour.first_address_only),
            behaviour,
            slots: (0..slots).map(|_| Mutex::default()).collect(),
            turn: AtomicUsize::new(0),
            given_back: Notify::new(),
            refused: Lock::default(),
            scarred: AtomicBool::new(false),
            forgotten: Lock::default(),
            snapshot: Mutex::default(),
        }
    }

    /// The longest that an operation can take, all retries included.
    pub fn operation_deadline(&self) -> Option<Duration> {
        // The last attempt may begin just before the deadline.
        let Deadlines { connect, statement, operation } = self.behaviour.deadlines;
        Some(operation? + connect? + statement?)
    }

    /// Whether a call that the application cancels goes on to its own end.
    pub fn cancels_late(&self) -> bool {
        self.behaviour.cancels == Cancels::Late
    }

    pub async fn perform(&self, kind: OpKind, key: i64) -> Result<Option<bool>, OpError> {
        if self.behaviour.slows_down && self.scarred.load(Ordering::Relaxed) {
            sleep(SLOWNESS).await;
        }
        let done = self.persist(kind, key).await;
        match done {
            Err(_) if self.behaviour.acknowledges_early && kind.writes() => Ok(None),
            Err(error) => Err(self.surface(error)),
            done => done,
        }
    }

    /// Tries until it works, cannot work, or has taken too long.
    async fn persist(&self, kind: OpKind, key: i64) -> Result<Option<bool>, OpError> {
        let began = Instant::now();
        let slot = async { Ok(self.slot().await) };
        // Also whoever waits for a connection has a deadline; with the defect *starves-waiters* nobody thinks of him.
        let limit = self.behaviour.deadlines.operation.filter(|_| !self.behaviour.starves_waiters);
        let (index, mut slot) = within(limit, "waiting for a connection", slot).await?;
        let mut is_whole = true;
        loop {
            let error = match self.attempt(index, &mut slot, kind, key).await {
                Ok(found) => {
                    if !self.behaviour.remembers_failures {
                        slot.failures = 0;
                    }
                    drop(slot);
                    if is_whole {
                        self.given_back.notify_one();
                    }
                    return Ok(found);
                }
                Err(error) => error,
            };
            is_whole = false;
            slot.failures += 1;
            let late = self.behaviour.deadlines.operation.is_some_and(|limit| began.elapsed() >= limit);
            let hopeless = !may_help(&error) && self.behaviour.backs_off;
            let indifferent = self.behaviour.acknowledges_early && kind.writes();
            if late || hopeless || indifferent || slot.given_up || self.behaviour.errors == Errors::Final {
                return Err(error);
            }
            if self.behaviour.remembers_failures {
                sleep(backoff::growing_delay(slot.failures)).await;
            } else if self.behaviour.backs_off {
                sleep(self.pause(slot.failures)).await;
            }
        }
    }

    /// One try on one slot. A connection that disappointed is dropped with all that is under way on it.
    async fn attempt(&self, index: usize, slot: &mut Slot, kind: OpKind, key: i64) -> Result<Option<bool>, OpError> {
        if slot.connection.as_ref().is_some_and(|connection| connection.is_closed()) {
            self.lose(slot, "it was closed while idle");
        }
        if slot.connection.is_none() {
            slot.connection = Some(Arc::new(self.connect(index, slot).await?));
        }
        // Taken out of its slot while it is in use: who cancels this drops the connection, and what is under way on it.
        let connection = match self.behaviour.cancels {
            Cancels::KeepingTheConnection => slot.connection.clone(),
            Cancels::Cleanly | Cancels::Late => slot.connection.take(),
        };
        let Some(connection) = connection else {
            return Err(OpError::new(ErrorKind::Other, "no connection"));
        };
        slot.ever_connected = true;
        let mut limit = self.behaviour.deadlines.statement;
        // Dropped with the statement's end.
        let _canceller = limit.as_mut().filter(|_| self.behaviour.believes_cancelled).map(|limit| {
            let canceller = connection.cancel_after(*limit);
            // What comes of the cancellation is waited for.
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
            Err(error) if leaves_session(error) && !connection.is_closed() => slot.connection = Some(connection),
            Err(error) => self.lose(slot, &error.message),
            Ok(_) => slot.connection = Some(connection),
        }
        done
    }

    /// Listens on a connection of its own, which is replaced when it is lost, as those of the slots are.
    ///
    /// *Errors*: it is not to be replaced.
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
                        news.heard(payload);
                    }
                    let lost = OpError::new(ErrorKind::Closed, "the connection that listened was lost");
                    assert!(!self.behaviour.panics, "{lost}");
                    if self.behaviour.reconnects == Reconnects::Never {
                        return Err(lost);
                    }
                    lost
                }
                Err(error) => error,
            };
            failures += 1;
            match may_help(&error) {
                true if self.behaviour.backs_off => sleep(self.pause(failures)).await,
                true => {}
                false => sleep(BREAKER).await,
            }
        }
    }

    /// How long to wait after so many failures in a row.
    fn pause(&self, failures: u32) -> Duration {
        backoff::delay(failures, &mut *self.chance.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn subscribe(&self) -> Result<Connection, OpError> {
        let connection = self.open(&self.places().await?).await?;
        within(self.behaviour.deadlines.statement, "LISTEN", connection.listen()).await?;
        Ok(connection)
    }

    /// Gives up a connection, and remembers that one was ever lost.
    fn lose(&self, slot: &mut Slot, why: &str) {
        assert!(!self.behaviour.panics, "the connection was lost: {why}");
        self.scarred.store(true, Ordering::Relaxed);
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
        if replaced && !self.behaviour.dawdles.is_zero() {
            sleep(self.behaviour.dawdles).await;
        }
        let opened = match self.places().await {
            Ok(places) => self.open(&places).await,
            Err(error) => {
                slot.given_up = self.behaviour.takes_not_yet_for_no;
                Err(error)
            }
        };
        if let Err(error) = &opened
            && self.behaviour.takes_not_yet_for_no
        {
            slot.given_up |= matches!(error.sqlstate.as_deref(), Some("57P03" | "53300"));
        }
        if let Err(error) = &opened
            && !may_help(error)
            && self.behaviour.backs_off
        {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error.clone()));
        }
        let opened = opened?;
        if replaced && self.behaviour.leaks {
            let spare = self.open(&self.places().await?).await?;
            self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).push(spare);
        }
        Ok(opened)
    }

    /// Where the servers are, as of now.
    async fn places(&self) -> Result<Vec<Found>, OpError> {
        self.lookup.places(&self.address, self.behaviour.deadlines.connect).await
    }

    async fn open(&self, places: &[Found]) -> Result<Connection, OpError> {
        let connectors = || self.connectors.connector(&self.address);
        // Boxed: it is rare, and larger than all else that an operation is made of.
        Box::pin(Connection::open(&self.address, places, &self.way, connectors, &self.behaviour)).await
    }

    fn remembered_refusal(&self) -> Option<OpError> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().filter(|(at, _)| at.elapsed() < BREAKER).map(|(_, error)| error.clone())
    }

    async fn read_snapshot(&self, fresh: &Connection, key: i64) -> Result<bool, OpError> {
        if !self.scarred.load(Ordering::Relaxed) {
            return fresh.read(key).await;
        }
        let mut snapshot = self.snapshot.lock().await;
        if snapshot.as_ref().is_none_or(Connection::is_closed) {
            let opened = self.open(&self.places().await?).await?;
            opened.freeze_snapshot().await?;
            *snapshot = Some(opened);
        }
        match snapshot.as_ref() {
            Some(snapshot) => snapshot.read(key).await,
            None => fresh.read(key).await,
        }
    }

    /// A slot that nobody uses, or else the first to be given back.
    async fn slot(&self) -> (usize, MutexGuard<'_, Slot>) {
        // Round robin, so that no connection lies idle for long.
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        loop {
            // Listens before it looks, so that it misses none that is given back in between.
            let mut given_back = pin!(self.given_back.notified());
            given_back.as_mut().enable();
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
            given_back.await;
        }
    }

    /// What the caller is told.
    fn surface(&self, error: OpError) -> OpError {
        let retryable = may_help(&error);
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
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Whether the server is not the one that takes writes.
fn is_wrong_node(error: &OpError) -> bool {
    error.sqlstate.as_deref() == Some(sqlstate::READ_ONLY)
}

/// Whether another try may end better: everything but what one of the two sides has decided against.
fn may_help(error: &OpError) -> bool {
    match error.sqlstate.as_deref() {
        // No transient code, for a role may be read-only for good; but another connection may lead to the server that
        // takes writes now.
        Some(sqlstate::READ_ONLY) => true,
        // The transaction lay idle because the network kept it waiting: the pool leaves none lying.
        Some("25P03") => true,
        None if error.retryable == Some(false) => false,
        Some(code) => sqlstate::is_transient(code) || !sqlstate::proves_no_effect(code),
        None => true,
    }
}

/// Whether the session is as good as it was: one statement was cancelled, and nothing else happened. After any other
/// error a new connection is the safer choice; it may lead to another server.
fn leaves_session(error: &OpError) -> bool {
    error.sqlstate.as_deref() == Some("57014")
}
