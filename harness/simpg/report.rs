//! Errors and notices of the server, with severity, code and the texts of PostgreSQL.

use std::borrow::Cow;

/// Severity, in PostgreSQL's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Sent as a notice; the session may go on.
    Warning,
    /// The statement fails, the session goes on.
    Error,
    /// The session ends.
    Fatal,
    /// The server ends, with every session.
    Panic,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
            Severity::Panic => "PANIC",
        }
    }
}

/// One ErrorResponse or NoticeResponse.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub severity: Severity,
    pub code: &'static str,
    pub message: Cow<'static, str>,
    pub detail: Option<Cow<'static, str>>,
    pub hint: Option<&'static str>,
}

impl Report {
    fn new(severity: Severity, code: &'static str, message: impl Into<Cow<'static, str>>) -> Report {
        Report { severity, code, message: message.into(), detail: None, hint: None }
    }

    pub fn warning(code: &'static str, message: impl Into<Cow<'static, str>>) -> Report {
        Report::new(Severity::Warning, code, message)
    }

    pub fn error(code: &'static str, message: impl Into<Cow<'static, str>>) -> Report {
        Report::new(Severity::Error, code, message)
    }

    pub fn fatal(code: &'static str, message: impl Into<Cow<'static, str>>) -> Report {
        Report::new(Severity::Fatal, code, message)
    }

    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Report {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: &'static str) -> Report {
        self.hint = Some(hint);
        self
    }

    /// The same report as an error that ends the session.
    pub fn made_fatal(mut self) -> Report {
        self.severity = Severity::Fatal;
        self
    }
}

/// A malformed message of the client.
pub(super) fn protocol_violation(message: impl Into<Cow<'static, str>>) -> Report {
    Report::error("08P01", message)
}

pub(super) fn out_of_memory() -> Report {
    Report::error("53200", "out of memory")
        .detail("Failed on request of size 8192 in memory context \"CacheMemoryContext\".")
}

pub(super) fn disk_full() -> Report {
    Report::error("53100", "could not extend file \"base/16385/16388\": No space left on device")
        .hint("Check free disk space.")
}

pub(super) fn wal_full(pid: i32) -> Report {
    let text = format!("could not write to file \"pg_wal/xlogtemp.{pid}\": No space left on device");
    Report::new(Severity::Panic, "53100", text)
}

pub(super) fn statement_timeout() -> Report {
    Report::error("57014", "canceling statement due to statement timeout")
}

pub(super) fn lock_timeout() -> Report {
    Report::error("55P03", "canceling statement due to lock timeout")
}

pub(super) fn cancelled() -> Report {
    Report::error("57014", "canceling statement due to user request")
}

pub(super) fn deadlock() -> Report {
    Report::error("40P01", "deadlock detected").hint("See server log for query details.")
}

pub(super) fn idle_in_transaction() -> Report {
    Report::fatal("25P03", "terminating connection due to idle-in-transaction timeout")
}

pub(super) fn idle_session() -> Report {
    Report::fatal("57P05", "terminating connection due to idle-session timeout")
}

pub(super) fn transaction_timeout() -> Report {
    Report::fatal("25P04", "terminating connection due to transaction timeout")
}

pub(super) fn administrator() -> Report {
    Report::fatal("57P01", "terminating connection due to administrator command")
}

pub(super) fn postmaster_gone() -> Report {
    Report::fatal("57P01", "terminating connection due to unexpected postmaster exit")
}

/// What the other backends send after one has died: a notice, not an error.
pub(super) fn crash_elsewhere() -> Report {
    Report::warning("57P02", "terminating connection because of crash of another server process")
        .detail(
            "The postmaster has commanded this server process to roll back the current transaction and exit, because \
             another server process exited abnormally and possibly corrupted shared memory.",
        )
        .hint("In a moment you should be able to reconnect to the database and repeat your command.")
}

/// An immediate shutdown, which versions up to 13 report like a crash.
pub(super) fn immediate(major: u32) -> Report {
    match major {
        ..=13 => crash_elsewhere(),
        _ => Report::warning("57P01", "terminating connection due to immediate shutdown command"),
    }
}

pub(super) fn read_only(command: &str) -> Report {
    Report::error("25006", format!("cannot execute {command} in a read-only transaction"))
}

pub(super) fn during_recovery(command: &str) -> Report {
    Report::error("25006", format!("cannot execute {command} during recovery"))
}

pub(super) fn transaction_failed() -> Report {
    Report::error("25P02", "current transaction is aborted, commands ignored until end of transaction block")
}

const LOCALLY: &str =
    "The transaction has already committed locally, but might not have been replicated to the standby.";

/// The client cancelled the wait for the standby: the commit is acknowledged all the same.
pub(super) fn unconfirmed() -> Report {
    Report::warning("01000", "canceling wait for synchronous replication due to user request").detail(LOCALLY)
}

/// The session is terminated while it waits for the standby: the commit is not acknowledged.
pub(super) fn ended_unconfirmed() -> Report {
    Report::warning("57P01", "canceling the wait for synchronous replication and terminating connection")
        .detail(LOCALLY)
}

/// Why no client can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotNow {
    StartingUp,
    /// Recovery replays the log, and has not reached a consistent state.
    NotConsistent,
    InRecovery,
    ShuttingDown,
}

pub(super) fn not_now(why: NotNow, major: u32) -> Report {
    let text = match (why, major) {
        (NotNow::ShuttingDown, _) => "the database system is shutting down",
        (NotNow::InRecovery, _) => "the database system is in recovery mode",
        (NotNow::StartingUp, _) | (NotNow::NotConsistent, ..=14) => "the database system is starting up",
        (NotNow::NotConsistent, _) => {
            return Report::fatal("57P03", "the database system is not yet accepting connections")
                .detail("Consistent recovery state has not been yet reached.");
        }
    };
    Report::fatal("57P03", text)
}

pub(super) fn too_many_clients() -> Report {
    Report::fatal("53300", "sorry, too many clients already")
}

pub(super) fn reserved_slots(major: u32) -> Report {
    Report::fatal(
        "53300",
        match major {
            ..=15 => "remaining connection slots are reserved for non-replication superuser connections",
            _ => "remaining connection slots are reserved for roles with the SUPERUSER attribute",
        },
    )
}

pub(super) fn wrong_password(role: &str) -> Report {
    Report::fatal("28P01", format!("password authentication failed for user \"{role}\""))
}
