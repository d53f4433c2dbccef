//! The state of a server and of its standby, under one lock, so that both always change together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::gate::Gate;
use super::mailbox::{Ending, Mailbox, Notification};
use super::report::{NotNow, Report, Severity};
use super::scram::Secret;
use super::settings::Settings;
use super::store::{Store, Xid};
use super::tls::Acceptor;
use crate::model::fault::StopMode;
use crate::server::LogLine;
use crate::server::control::AddressRange;

/// The phase of a server's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The server does not listen.
    Down,
    /// The server listens, but refuses sign-ins before `until`; `None`: until it is released.
    NotYet {
        why: NotNow,
        until: Option<Instant>,
        then: After,
    },
    Ready,
    /// `until`: the end of the shutdown checkpoint, which is written after the last session has ended.
    Stopping {
        mode: StopMode,
        until: Option<Instant>,
    },
}

/// The phase after `NotYet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Ready,
    /// Replay for this long; `None`: until recovery is released.
    Replay(Option<Duration>),
}

/// A role, which keeps its properties while it is absent.
pub(super) struct Role {
    pub secret: Option<Secret>,
    pub may_log_in: bool,
    pub is_superuser: bool,
    pub present: bool,
    /// The most sessions at once; `None`: no limit.
    pub limit: Option<usize>,
    /// Initial settings of the role's sessions (`ALTER ROLE … SET`).
    pub settings: BTreeMap<String, String>,
}

pub(super) struct Database {
    pub present: bool,
    pub accepts: bool,
    pub may_connect: bool,
}

/// The clients that pg_hba.conf admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Everybody,
    /// Clients from these addresses: pg_hba.conf has a line for no others.
    From(AddressRange),
    /// No client: pg_hba.conf has no matching line.
    Nobody,
    /// No client: pg_hba.conf has a `reject` line.
    #[cfg_attr(not(test), expect(dead_code, reason = "no scenario asks for it"))]
    Rejected,
    /// Clients over TLS, and if `certificate` only those with a client certificate.
    TlsOnly {
        certificate: bool,
    },
}

/// Connection slots that other clients hold; these have no backends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    None,
    /// This many slots.
    Some(usize),
    /// All slots but those reserved for superusers.
    Ordinary,
    All,
}

/// The state of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    SigningIn,
    Idle,
    Active,
    IdleInTransaction,
}

/// The part of a backend's state that other backends and the nemesis can read.
pub(super) struct Backend {
    pub mailbox: Arc<Mailbox>,
    pub task: Option<AbortHandle>,
    pub key: i32,
    pub role: String,
    pub database: String,
    pub is_superuser: bool,
    pub activity: Activity,
    pub since: Instant,
    /// When the backend's transaction began, and whether that may write.
    pub transaction: Option<Instant>,
    pub may_write: bool,
    /// Whether the backend waits for the standby to confirm a commit.
    pub unconfirmed: bool,
    pub channels: BTreeSet<Arc<str>>,
    /// The transaction whose end the backend waits for.
    pub waits_for: Option<Xid>,
    pub xid: Option<Xid>,
}

/// One server.
pub(super) struct Server {
    pub settings: Settings,
    pub phase: Phase,
    pub frozen: bool,
    pub needs_recovery: bool,
    pub roles: BTreeMap<String, Role>,
    pub databases: BTreeMap<String, Database>,
    pub admission: Admission,
    /// TLS; `None`: the server does not offer it. A server with TLS also logs connections and sign-ins.
    pub acceptor: Option<Acceptor>,
    pub taken: Taken,
    pub memory_short: bool,
    pub disk_full: bool,
    /// Whether the write-ahead log has no room: the next commit of a write ends the server, which then cannot start.
    pub wal_full: bool,
    pub ledger_locked: bool,
    /// Whether new transactions are read-only.
    pub read_only: bool,
    /// Whether the server is a standby.
    pub in_recovery: bool,
    /// The index of the standby that must confirm each commit.
    pub standby: Option<usize>,
    /// The index of the primary that this standby follows.
    pub primary: Option<usize>,
    /// The number of rows of the store's log that the standby has replayed.
    pub confirmed: usize,
    pub store: Store,
    /// By pid; pids only grow.
    pub backends: BTreeMap<i32, Backend>,
    pub log: Vec<LogLine>,
    pub next_pid: i32,
    pub next_xid: Xid,
    pub rng: ChaCha8Rng,
    /// Wakes the postmaster.
    pub postmaster: Arc<Notify>,
    pub gate: Arc<Gate>,
    /// The postmaster's task, which owns the listener.
    pub task: Option<AbortHandle>,
}

/// Servers that can be primary and standby of each other.
#[derive(Default)]
pub(super) struct World {
    servers: Mutex<Vec<Server>>,
    /// Notified when a transaction or a session ends, a phase begins, or a [`Postgres`](super::Postgres) changes a
    /// server.
    changed: Notify,
}

impl World {
    pub fn lock(&self) -> MutexGuard<'_, Vec<Server>> {
        self.servers.lock()
    }

    pub fn changed(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until `look` returns a value, and returns that; cancel safe.
    pub async fn until<T>(&self, mut look: impl FnMut(&mut [Server]) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.lock()) {
                return found;
            }
            changed.await;
        }
    }
}

impl Server {
    /// Logs a report that a backend sends to its client.
    pub fn log(&mut self, pid: i32, role: &str, report: &Report) {
        let text = format!("{}:  {}", report.severity.word(), report.message);
        let (sqlstate, role) = (report.code.to_owned(), role.to_owned());
        self.log.push(LogLine { pid, sqlstate, role, text });
        // PostgreSQL logs a detail as a line of its own; here only that of a warning is logged.
        if let (Some(detail), Severity::Warning) = (&report.detail, report.severity) {
            let last = self.log.len() - 1;
            let role = self.log[last].role.clone();
            self.log.push(LogLine { pid, sqlstate: "00000".into(), role, text: format!("DETAIL:  {detail}") });
        }
    }

    /// Logs a line of the postmaster.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.note(1, "", "00000", &text.into());
    }

    /// Logs a line of a backend that is not sent to its client.
    pub fn note(&mut self, pid: i32, role: &str, sqlstate: &str, text: &str) {
        let text = format!("LOG:  {text}");
        self.log.push(LogLine { pid, sqlstate: sqlstate.to_owned(), role: role.to_owned(), text });
    }

    /// Why sign-ins are refused now; `None`: they are not.
    pub fn not_now(&self) -> Option<NotNow> {
        match self.phase {
            Phase::Ready => None,
            Phase::NotYet { why, .. } => Some(why),
            Phase::Stopping { .. } | Phase::Down => Some(NotNow::ShuttingDown),
        }
    }

    /// Whether sessions can run.
    pub fn runs(&self) -> bool {
        self.phase == Phase::Ready || matches!(self.phase, Phase::Stopping { .. })
    }

    /// Requests the end of every backend, including those that sign in.
    pub fn end_all(&self, how: Ending) {
        self.backends.values().for_each(|backend| backend.mailbox.end(how));
    }

    /// Sends a notification to the sessions of a database that listen on its channel.
    pub fn notify(&self, database: &str, sent: &Notification) {
        for backend in self.backends.values() {
            if backend.database == database && backend.channels.contains(&sent.channel) {
                backend.mailbox.notify(sent.clone());
            }
        }
    }

    /// The signed-in backends of a role.
    pub fn of_role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a Backend> {
        self.backends.values().filter(move |backend| backend.role == role && backend.activity != Activity::SigningIn)
    }

    /// Whether a transaction waits for itself, directly or through others.
    pub fn is_deadlocked(&self, own: Xid) -> bool {
        let waits_for = |xid: Xid| {
            let backend = self.backends.values().find(|backend| backend.xid == Some(xid));
            backend.and_then(|backend| backend.waits_for)
        };
        let mut at = waits_for(own);
        for _ in 0..=self.backends.len() {
            match at {
                Some(xid) if xid == own => return true,
                Some(xid) => at = waits_for(xid),
                None => return false,
            }
        }
        false
    }
}

/// Whether a standby replays its primary's log now.
fn follows(servers: &[Server], standby: usize) -> bool {
    let server = &servers[standby];
    let alive = |server: &Server| server.runs() && !server.frozen;
    server.in_recovery && alive(server) && server.primary.is_some_and(|primary| alive(&servers[primary]))
}

/// Replays the whole log of `primary` on its standby, if that follows; then rows up to `confirmed` are on both.
pub(super) fn replicate(servers: &mut [Server], primary: usize) {
    let Some(standby) = servers[primary].standby.filter(|standby| follows(servers, *standby)) else { return };
    let Ok([from, to]) = servers.get_disjoint_mut([primary, standby]) else { return };
    to.store.replay(&from.store);
    from.confirmed = from.store.durable();
}

/// Replicates from a server to its standby, and to the server from its primary.
pub(super) fn replicate_around(servers: &mut [Server], index: usize) {
    replicate(servers, index);
    if let Some(primary) = servers[index].primary {
        replicate(servers, primary);
    }
}
