//! The state of a server, and of the one beside it; under one lock, so that they cannot disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nobody listens.
    Down,
    /// Somebody listens, and lets nobody in before this instant; `None`: until it is told to go on.
    NotYet {
        why: NotNow,
        until: Option<Instant>,
        then: After,
    },
    Ready,
    /// `until`: when the last session has gone, it still writes a checkpoint.
    Stopping {
        mode: StopMode,
        until: Option<Instant>,
    },
}

/// What comes after a while of letting nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Ready,
    /// Replay, of so long; `None`: held.
    Replay(Option<Duration>),
}

pub(super) struct Role {
    pub secret: Option<Secret>,
    pub may_log_in: bool,
    pub is_superuser: bool,
    pub present: bool,
    /// Most sessions at once, where there is a limit.
    pub limit: Option<usize>,
    /// What its sessions begin with.
    pub settings: BTreeMap<String, String>,
}

pub(super) struct Database {
    pub present: bool,
    pub accepts: bool,
    pub may_connect: bool,
}

/// Whom pg_hba.conf lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Everybody,
    /// There is a line for these addresses alone.
    From(AddressRange),
    /// There is no line for anybody.
    Nobody,
    /// There is a line that says `reject`.
    #[cfg_attr(not(test), expect(dead_code, reason = "no scenario asks for it"))]
    Rejected,
    /// There are lines for TLS alone, and perhaps only for clients with a certificate.
    TlsOnly {
        certificate: bool,
    },
}

/// Whether others have taken the connection slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    None,
    /// So many.
    Some(usize),
    /// All but those that are reserved for superusers.
    Ordinary,
    All,
}

/// What a backend is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    SigningIn,
    Idle,
    Active,
    IdleInTransaction,
}

/// A backend, as others see it.
pub(super) struct Backend {
    pub mailbox: Arc<Mailbox>,
    pub task: Option<AbortHandle>,
    pub key: i32,
    pub role: String,
    pub database: String,
    pub is_superuser: bool,
    pub activity: Activity,
    pub since: Instant,
    /// When its transaction began, and whether that was before the server was made read-only.
    pub transaction: Option<Instant>,
    pub may_write: bool,
    /// It waits for the standby to confirm a commit.
    pub unconfirmed: bool,
    pub channels: BTreeSet<Arc<str>>,
    /// For whose end it waits.
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
    /// Where it speaks TLS, with what. It logs who comes and who is let in then, too.
    pub acceptor: Option<Acceptor>,
    pub taken: Taken,
    pub memory_short: bool,
    pub disk_full: bool,
    /// There is no room for the write-ahead log: whoever commits takes the server with him, and it cannot start.
    pub wal_full: bool,
    pub ledger_locked: bool,
    /// Every transaction that begins is read-only.
    pub read_only: bool,
    /// It is a standby.
    pub in_recovery: bool,
    /// Its commits wait for the standby at this place.
    pub standby: Option<usize>,
    /// It follows the server at this place.
    pub primary: Option<usize>,
    /// How much of what it made durable the standby has replayed.
    pub confirmed: usize,
    pub store: Store,
    /// By pid, which grows.
    pub backends: BTreeMap<i32, Backend>,
    pub log: Vec<LogLine>,
    pub next_pid: i32,
    pub next_xid: Xid,
    pub rng: ChaCha8Rng,
    /// Wakes the postmaster.
    pub postmaster: Arc<Notify>,
    pub gate: Arc<Gate>,
    /// The postmaster's task, which holds the listener.
    pub task: Option<AbortHandle>,
}

/// Servers that know each other.
#[derive(Default)]
pub(super) struct World {
    servers: Mutex<Vec<Server>>,
    /// Something has changed that somebody may wait for: a transaction or a session has ended, a phase has begun.
    changed: Notify,
}

impl World {
    pub fn lock(&self) -> MutexGuard<'_, Vec<Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn changed(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until a look at the servers finds something; cancel safe.
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
    pub fn log(&mut self, pid: i32, role: &str, report: &Report) {
        let text = format!("{}:  {}", report.severity.word(), report.message);
        let (sqlstate, role) = (report.code.to_owned(), role.to_owned());
        self.log.push(LogLine { pid, sqlstate, role, text });
        // PostgreSQL writes it as a line of its own.
        if let (Some(detail), Severity::Warning) = (&report.detail, report.severity) {
            let last = self.log.len() - 1;
            let role = self.log[last].role.clone();
            self.log.push(LogLine { pid, sqlstate: "00000".into(), role, text: format!("DETAIL:  {detail}") });
        }
    }

    /// What the postmaster itself says.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.note(1, "", "00000", &text.into());
    }

    /// What is said in the log alone.
    pub fn note(&mut self, pid: i32, role: &str, sqlstate: &str, text: &str) {
        let text = format!("LOG:  {text}");
        self.log.push(LogLine { pid, sqlstate: sqlstate.to_owned(), role: role.to_owned(), text });
    }

    /// Why nobody is let in now.
    pub fn not_now(&self) -> Option<NotNow> {
        match self.phase {
            Phase::Ready => None,
            Phase::NotYet { why, .. } => Some(why),
            Phase::Stopping { .. } | Phase::Down => Some(NotNow::ShuttingDown),
        }
    }

    pub fn runs(&self) -> bool {
        self.phase == Phase::Ready || matches!(self.phase, Phase::Stopping { .. })
    }

    /// Tells every backend to end; those that sign in, too.
    pub fn end_all(&self, how: Ending) {
        self.backends.values().for_each(|backend| backend.mailbox.end(how));
    }

    /// Sends a notification to whoever listens in a database.
    pub fn notify(&self, database: &str, sent: &Notification) {
        for backend in self.backends.values() {
            if backend.database == database && backend.channels.contains(&sent.channel) {
                backend.mailbox.notify(sent.clone());
            }
        }
    }

    /// Backends of a role that are signed in.
    pub fn of_role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a Backend> {
        self.backends.values().filter(move |backend| backend.role == role && backend.activity != Activity::SigningIn)
    }

    /// Whether a transaction waits for one that, in the end, waits for it.
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

/// Whether the standby at this place replays what its primary makes durable.
fn follows(servers: &[Server], standby: usize) -> bool {
    let server = &servers[standby];
    let alive = |server: &Server| server.runs() && !server.frozen;
    server.in_recovery && alive(server) && server.primary.is_some_and(|primary| alive(&servers[primary]))
}

/// Has the standby of this server replay all that there is, if it can; a commit up to `confirmed` is safe then.
pub(super) fn replicate(servers: &mut [Server], primary: usize) {
    let Some(standby) = servers[primary].standby.filter(|standby| follows(servers, *standby)) else { return };
    let Ok([from, to]) = servers.get_disjoint_mut([primary, standby]) else { return };
    to.store.replay(&from.store);
    from.confirmed = from.store.durable();
}

/// The same for both sides of whatever this server belongs to.
pub(super) fn replicate_around(servers: &mut [Server], index: usize) {
    replicate(servers, index);
    if let Some(primary) = servers[index].primary {
        replicate(servers, primary);
    }
}
