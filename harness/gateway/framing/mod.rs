//! Framing: a [`Session`] sees every byte of both directions, finds where the messages of the Postgres protocol begin
//! and end, and reports the [`Point`]s at which a rule may strike.
//!
//! Messages are found by their headers alone; bodies are skipped by arithmetic. The first bytes of the few messages
//! that must be read are copied, and only if they arrive in pieces. Pure: no I/O, no clock, no allocation. All bytes
//! pass except those of a dropped message: a session that cannot be parsed becomes [`Opaque`] and passes unread.
//!
//! # Points that are recognised late
//!
//! Some points lie before the first byte of a message, but it takes more bytes to recognise them: a startup packet or
//! an encryption request 8, an authentication request 9, the reply to a COMMIT 12. If these bytes arrive in several
//! chunks, the earlier ones have been passed on when the point is recognised, and the strike takes effect before the
//! first byte of the last of these chunks. The bytes passed before are no complete message. If the strike drops the
//! message, its remaining bytes are dropped; the receiver does not notice the torn message, because no other follows
//! until it is answered. Only after the reply to a COMMIT more messages follow at once, which the receiver would take
//! for its body: there the connection is closed instead.
//!
//! *Source*: PostgreSQL manual, "Frontend/Backend Protocol"; the limits are those of the server's
//! `ProcessStartupPacket` and libpq's `PQconnectPoll`.

mod ancient;
mod backend;
mod error_fields;
mod frame;
mod frontend;
mod requests;
mod startup;
mod state;
#[cfg(test)]
mod tests;
mod walk;

use super::types::Direction;
use crate::model::fault::{Point, Strike};
use frame::{Frame, Stage};
use state::{Phase, State};

/// The action at a point, and the number of its rule.
type Struck = (Strike, u64);

/// The observer of one connection's session.
pub(super) trait Watch {
    /// Whether a strike may be armed at this point. Called often, so it must be cheap.
    fn awaits(&self, point: Point) -> bool;

    /// Called once each time the connection reaches an awaited point; returns the action, if any, and its rule.
    fn reach(&mut self, point: Point) -> Option<Struck>;

    /// Whether every request and every answer is to be noted. Called for each of them, so it must be cheap.
    fn observes(&self) -> bool {
        false
    }

    /// Records a note.
    fn note(&mut self, note: Note<'_>);
}

/// A protocol event on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note<'a> {
    /// An SSLRequest or GSSENCRequest arrived.
    EncryptionRequested,
    /// From here on the session cannot be parsed, for this reason.
    Opaque(Opaque),
    /// The connection only cancels a request of another connection.
    CancelRequested,
    /// A startup packet arrived. `None`: absent, not within its first 256 bytes, or not UTF-8.
    Startup { major: u16, minor: u16, user: Option<&'a str>, database: Option<&'a str>, replication: bool },
    /// AuthenticationOk.
    Authenticated,
    /// BackendKeyData: the process that serves this connection, as `pg_stat_activity` calls it.
    BackendPid(u32),
    /// The first Query, Parse, Bind, Execute or FunctionCall began to arrive.
    FirstRequest,
    /// A request began to arrive: a Query, a FunctionCall, or the first Parse, Bind or Execute of a batch. Only if
    /// [`Watch::observes`].
    RequestStarted,
    /// The server has finished a request. `idle`: no other is in flight. Only if [`Watch::observes`].
    RequestFinished { idle: bool },
    /// The first ReadyForQuery, or one whose status differs from the one before: `I`, `T` or `E`.
    Ready(u8),
    /// An ErrorResponse.
    Error { severity: Severity, sqlstate: [u8; 5] },
    /// A NoticeResponse of SQLSTATE class 57: a crash or a shutdown. Others are not noted.
    Notice { severity: Severity, sqlstate: [u8; 5] },
    /// An error in the form used before protocol 3, without a length and without fields: the server could not fork.
    /// At most 255 bytes of its text.
    AncientError { text: &'a [u8] },
}

/// Why a connection can no longer be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opaque {
    /// The server agreed to TLS.
    Tls,
    /// The server agreed to GSSAPI encryption.
    Gss,
    /// The client began with TLS without an SSLRequest.
    DirectTls,
    /// Bytes that are not version 3 of the Postgres protocol, or a message that is not allowed there.
    NotPostgres,
}

impl Opaque {
    /// Returns the reason as reports word it.
    pub fn words(self) -> &'static str {
        match self {
            Opaque::Tls => "TLS",
            Opaque::Gss => "GSSAPI encryption",
            Opaque::DirectTls => "TLS from the first byte",
            Opaque::NotPostgres => "not the Postgres protocol",
        }
    }
}

impl Severity {
    /// Returns the severity as the server writes it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
            Severity::Panic => "PANIC",
        }
    }
}

/// Severity of an error or notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// A notice of any level.
    Warning,
    Error,
    Fatal,
    Panic,
}

/// The result of an inspection: what to do with the first `length` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inspected {
    /// In bytes; zero only if `then` acts before any byte passes, or no bytes were given.
    pub length: usize,
    /// Whether these bytes are forwarded; otherwise they are dropped.
    pub pass: bool,
    /// The action after them; never [`Strike::Drop`].
    pub then: Option<Struck>,
}

impl Inspected {
    fn passed(length: usize) -> Inspected {
        Inspected { length, pass: true, then: None }
    }
}

/// Protocol state of one connection.
#[derive(Default)]
pub(super) struct Session {
    upstream: Frame,
    downstream: Frame,
    state: State,
}

impl Session {
    /// Inspects the next bytes of one direction, up to the first place with an action. The caller passes the bytes
    /// behind `length` again; a point that has been reached is not reached again.
    ///
    /// With no point armed, one call takes all bytes, except during the startup and where the session becomes opaque.
    #[inline]
    pub fn inspect(&mut self, direction: Direction, bytes: &[u8], watch: &mut impl Watch) -> Inspected {
        if self.state.opaque {
            return Inspected::passed(bytes.len());
        }
        match direction {
            Direction::Upstream => match self.state.phase {
                Phase::Typed => walk::walk::<frontend::Frontend, _>(&mut self.upstream, &mut self.state, bytes, watch),
                Phase::Startup => walk::walk::<startup::Startup, _>(&mut self.upstream, &mut self.state, bytes, watch),
                // The answer decides the meaning of the client's next bytes, so a client that does not wait is not
                // parsed.
                Phase::EncryptionRequested(_) if !bytes.is_empty() => {
                    walk::give_up(&mut self.state, Opaque::NotPostgres, bytes, watch)
                }
                Phase::EncryptionRequested(_) => Inspected::passed(0),
            },
            Direction::Downstream => {
                if let Phase::EncryptionRequested(encryption) = self.state.phase
                    && self.downstream.stage == Stage::New
                    && let Some(&answer) = bytes.first()
                    && let Some(inspected) =
                        startup::parse_encryption_answer(&mut self.state, encryption, answer, watch)
                {
                    return inspected;
                }
                if self.state.ancient {
                    return ancient::collect(&mut self.downstream, &mut self.state, bytes, watch);
                }
                walk::walk::<backend::Backend, _>(&mut self.downstream, &mut self.state, bytes, watch)
            }
        }
    }
}
