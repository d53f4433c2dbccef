//! A session: the state of one client's connection, and the handling of each of its messages.
//!
//! A session does no I/O: `serving` passes messages as bytes, and sends the answers in `out`. `Session` has its
//! methods in several files: `simple` and `extended` (protocol), `run` (statements), `transaction`, `ledger`, and
//! `sign_in` one level up.

mod extended;
pub(super) mod guc;
mod ledger;
mod names;
mod run;
mod simple;
mod transaction;

use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::{Instant, sleep_until};

use self::extended::Portal;
use self::guc::{Guc, setting};
use self::names::Names;
use self::transaction::Transaction;
use super::mailbox::{Ending, Interrupt, Mailbox};
use super::report::{self, Report, Severity};
use super::sql::statement::Statement;
use super::store::Xid;
use super::wire::backend;
use super::world::{Activity, World};

/// Why a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// The server sends this report first, and logs it.
    Told(Report),
    /// The server sends this notice first, without logging it.
    Warned(Report),
    /// The server closes without a message.
    Silent,
    /// The client has disconnected.
    Left,
}

/// Why a statement fails: with a report only, or with the end of the session.
pub(super) enum Stop {
    Report(Report),
    End(End),
}

impl From<Report> for Stop {
    fn from(report: Report) -> Stop {
        match report.severity {
            Severity::Fatal | Severity::Panic => Stop::End(End::Told(report)),
            _ => Stop::Report(report),
        }
    }
}

/// The state of one client's session. Dropping it rolls back the open transaction and frees the slot.
pub(super) struct Session {
    pub world: Arc<World>,
    pub index: usize,
    pub pid: i32,
    pub mailbox: Arc<Mailbox>,
    pub major: u32,
    pub role: String,
    pub database: String,
    pub guc: Guc,
    pub out: BytesMut,
    /// Whether `out` must be sent before the session waits for input.
    pub flushes: bool,
    transaction: Option<Transaction>,
    /// The transaction whose commit is durable but not confirmed by the standby.
    committing: Option<Xid>,
    statements: Names<Arc<Statement>>,
    portals: Names<Portal>,
    /// Whether messages up to the next Sync are skipped, because of an error.
    skips: bool,
    /// When the first message since the last ReadyForQuery arrived; `None`: the session is idle.
    began: Option<Instant>,
    /// Since when the session has been idle, or active.
    since: Instant,
    /// The last values sent of `in_hot_standby` and `default_transaction_read_only`.
    told: (bool, bool),
}

impl Session {
    pub fn new(world: Arc<World>, index: usize, pid: i32, mailbox: Arc<Mailbox>, major: u32) -> Session {
        Session {
            world,
            index,
            pid,
            mailbox,
            major,
            role: String::new(),
            database: String::new(),
            guc: Guc::new(major),
            out: BytesMut::with_capacity(1024),
            flushes: false,
            transaction: None,
            committing: None,
            statements: Names::new(),
            portals: Names::new(),
            skips: false,
            began: None,
            since: Instant::now(),
            told: (false, false),
        }
    }

    /// Logs a report and sends it.
    pub fn report(&mut self, report: &Report) {
        self.world.lock()[self.index].log(self.pid, &self.role, report);
        backend::report(&mut self.out, report);
    }

    /// Sends the ParameterStatus messages that precede the first ReadyForQuery.
    pub fn introduce(&mut self) {
        let (in_recovery, read_only, is_superuser) = {
            let servers = self.world.lock();
            let server = &servers[self.index];
            let is_superuser = server.backends.get(&self.pid).is_some_and(|backend| backend.is_superuser);
            (server.in_recovery, self.reads_only_by_default(server.read_only), is_superuser)
        };
        self.told = (in_recovery, read_only);
        let on = |on: bool| if on { "on" } else { "off" };
        let version = super::settings::version(self.major);
        let since_14 = self.major >= 14;
        let of = |setting| self.guc.value(setting);
        let all = [
            ("application_name", of(setting::APPLICATION_NAME), true),
            ("client_encoding", of(setting::CLIENT_ENCODING), true),
            ("DateStyle", of(setting::DATESTYLE), true),
            ("default_transaction_read_only", on(read_only), since_14),
            ("in_hot_standby", on(in_recovery), since_14),
            ("integer_datetimes", "on", true),
            ("IntervalStyle", of(setting::INTERVALSTYLE), true),
            ("is_superuser", on(is_superuser), true),
            ("scram_iterations", "4096", self.major >= 16),
            ("search_path", of(setting::SEARCH_PATH), self.major >= 18),
            ("server_encoding", "UTF8", true),
            ("server_version", version, true),
            ("session_authorization", &self.role, true),
            ("standard_conforming_strings", of(setting::STANDARD_STRINGS), true),
            ("TimeZone", of(setting::TIMEZONE), true),
        ];
        for (name, value, _) in all.into_iter().filter(|(.., there)| *there) {
            backend::parameter_status(&mut self.out, name, value);
        }
        self.guc.told();
    }

    fn reads_only_by_default(&self, server: bool) -> bool {
        // A setting of the session overrides the server's.
        self.guc.own(setting::DEFAULT_READ_ONLY).map_or(server, |own| own == "on")
    }

    /// Sends changed parameters, then pending notifications if no transaction is open, then ReadyForQuery.
    pub fn ready(&mut self) {
        let status = match &self.transaction {
            None => b'I',
            Some(transaction) if transaction.failed => b'E',
            Some(_) => b'T',
        };
        self.tell_changes();
        if status == b'I' {
            self.deliver();
        }
        backend::ready(&mut self.out, status);
        (self.flushes, self.began, self.since) = (true, None, Instant::now());
        self.set_activity(if status == b'I' { Activity::Idle } else { Activity::IdleInTransaction });
        self.mailbox.forget_cancel();
    }

    /// Sends a ParameterStatus for each reported setting that has changed since it was last sent.
    fn tell_changes(&mut self) {
        for (name, value) in self.guc.news() {
            backend::parameter_status(&mut self.out, name, &value);
        }
        let (in_recovery, server) = {
            let servers = self.world.lock();
            (servers[self.index].in_recovery, servers[self.index].read_only)
        };
        let now = (in_recovery, self.reads_only_by_default(server));
        if now != self.told && self.major >= 14 {
            let changes = [
                ("default_transaction_read_only", self.told.1 != now.1, now.1),
                ("in_hot_standby", self.told.0 != now.0, now.0),
            ];
            for (name, _, on) in changes.into_iter().filter(|(_, changed, _)| *changed) {
                backend::parameter_status(&mut self.out, name, if on { "on" } else { "off" });
            }
        }
        self.told = now;
    }

    /// Logs that the client disconnected, if a transaction begun by BEGIN is open; as Postgres does.
    pub fn note_loss(&mut self) {
        if self.transaction.as_ref().is_some_and(|open| open.explicit) {
            let line = Report::warning("08006", "unexpected EOF on client connection with an open transaction");
            self.world.lock()[self.index].log(self.pid, &self.role, &line);
        }
    }

    /// Sends pending notifications; to be called only while the session is idle.
    pub fn deliver(&mut self) {
        for found in self.mailbox.notifications() {
            backend::notification(&mut self.out, found.pid, &found.channel, &found.payload);
            self.flushes = true;
        }
    }

    /// Whether a statement has begun and ReadyForQuery has not been sent.
    pub fn is_answering(&self) -> bool {
        self.began.is_some()
    }

    pub fn is_in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    fn set_activity(&self, activity: Activity) {
        if let Some(own) = self.world.lock()[self.index].backends.get_mut(&self.pid) {
            (own.activity, own.since) = (activity, self.since);
        }
    }

    /// Marks the session as active from now on, unless it is already.
    pub fn begin_statement(&mut self) {
        if self.began.is_none() {
            let now = Instant::now();
            (self.began, self.since) = (Some(now), now);
            self.set_activity(Activity::Active);
        }
    }

    /// When the earliest timeout ends the idle session, and its report; `None`: no timeout applies.
    pub fn idle_deadline(&self) -> Option<(Instant, Report)> {
        let timeouts = &self.guc.timeouts;
        let Some(transaction) = &self.transaction else {
            return timeouts.idle.map(|limit| (self.since + limit, report::idle_session()));
        };
        let idle = timeouts.idle_in_transaction.map(|limit| (self.since + limit, report::idle_in_transaction()));
        let whole = timeouts.transaction.map(|limit| (transaction.began + limit, report::transaction_timeout()));
        [idle, whole].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// How the session ends for this reason. `active`: whether it is answering.
    pub fn ending(&self, how: Ending, active: bool) -> End {
        match how {
            Ending::Terminated => End::Told(report::administrator()),
            // Up to version 13 these are logged.
            Ending::Crash if self.major < 14 => End::Told(report::crash_elsewhere()),
            Ending::Immediate if self.major < 14 => End::Told(report::immediate(self.major)),
            Ending::Crash => End::Warned(report::crash_elsewhere()),
            Ending::Immediate => End::Warned(report::immediate(self.major)),
            Ending::Orphaned if active => End::Silent,
            Ending::Orphaned => End::Told(report::postmaster_gone()),
        }
    }

    /// Waits for `work`. `for_lock`: `work` waits for a lock, so that `lock_timeout` applies.
    ///
    /// *Errors*: an interrupt or a timeout comes first.
    async fn wait<T>(&self, for_lock: bool, work: impl Future<Output = T>) -> Result<T, Stop> {
        let now = Instant::now();
        let timeouts = &self.guc.timeouts;
        let statement =
            timeouts.statement.map(|limit| (self.began.unwrap_or(now) + limit, report::statement_timeout()));
        let lock = timeouts.lock.filter(|_| for_lock).map(|limit| (now + limit, report::lock_timeout()));
        let whole = self.transaction.as_ref().zip(timeouts.transaction);
        let whole = whole.map(|(transaction, limit)| (transaction.began + limit, report::transaction_timeout()));
        let first = [lock, statement, whole].into_iter().flatten().min_by_key(|(at, _)| *at);
        tokio::select! {
            biased;
            interrupt = self.mailbox.interrupted() => Err(match interrupt {
                Interrupt::Cancel => report::cancelled().into(),
                Interrupt::End(how) => Stop::End(self.ending(how, true)),
            }),
            value = work => Ok(value),
            report = async {
                match first {
                    Some((at, report)) => {
                        sleep_until(at).await;
                        report
                    }
                    None => std::future::pending().await,
                }
            } => Err(report.into()),
        }
    }
}

impl Drop for Session {
    /// Rolls back an open transaction, makes an unconfirmed commit visible, and frees the slot.
    fn drop(&mut self) {
        let mut servers = self.world.lock();
        let server = &mut servers[self.index];
        if let Some(xid) = self.committing.take() {
            server.store.confirm(xid);
        }
        if let Some((transaction, xid)) = self.transaction.take().and_then(|open| open.xid.map(|xid| (open, xid))) {
            server.store.release(&transaction.rows, xid);
        }
        server.backends.remove(&self.pid);
        server.postmaster.notify_one();
        drop(servers);
        self.world.changed();
    }
}
