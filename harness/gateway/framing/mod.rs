//! What a connection is saying: a [`Session`] sees every byte of both directions, finds where the messages of the
//! Postgres protocol begin and end, and calls out the [`Point`]s at which somebody may want to strike.
//!
//! Messages are found by their headers alone; bodies are skipped by arithmetic. Only of the few that must be looked
//! into are the first bytes kept, and only if they come in pieces. Pure: no I/O, no clock, no allocation. Whatever
//! comes, all of it passes, unless a strike says otherwise: a session that does not understand goes [`Opaque`].
//!
//! # When a point comes late
//!
//! Some points stand before the first byte of a message, but it takes more than that byte to tell: a startup packet, an
//! encryption request (8 bytes), a demand for authentication (9), the reply to a COMMIT (12). If these bytes come in
//! several chunks, the earlier ones have been passed on when the point is recognised, and the strike comes right before
//! the first byte of the chunk that decided it. What has passed then tells its reader nothing complete. A message that
//! is to be dropped loses the rest; since nothing follows it before it is answered, nobody sees the torn end. Only the
//! reply to a COMMIT is followed at once by more, which would be read as its body: there the connection is closed
//! instead.
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

/// What is to be done, and the number of the rule that says so.
type Struck = (Strike, u64);

/// Somebody who watches one connection.
pub(super) trait Watch {
    /// Whether any strike may be waiting at this point. Asked often: it must be cheap.
    fn awaits(&self, point: Point) -> bool;

    /// The connection has come to a point that is awaited; what is done here, if anything, and by which rule. Asked
    /// once for each time it comes there.
    fn reach(&mut self, point: Point) -> Option<Struck>;

    /// Whether it wants to be told of every request and of every answer. Asked with each of them: it must be cheap.
    fn observes(&self) -> bool {
        false
    }

    /// Something for the record.
    fn note(&mut self, note: Note<'_>);
}

/// Something that was said on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note<'a> {
    /// An SSLRequest or GSSENCRequest came.
    EncryptionRequested,
    /// From here on nothing can be read, and why.
    Opaque(Opaque),
    /// The connection is there only to cancel what another one does.
    CancelRequested,
    /// A startup packet came. `None`: not said within its first 256 bytes, or not UTF-8.
    Startup { major: u16, minor: u16, user: Option<&'a str>, database: Option<&'a str>, replication: bool },
    /// AuthenticationOk.
    Authenticated,
    /// BackendKeyData: the process that serves this connection, as `pg_stat_activity` calls it.
    BackendPid(u32),
    /// The first Query, Parse, Bind, Execute or FunctionCall began to come.
    FirstRequest,
    /// A request began to come: a Query, a FunctionCall, or the first message of a batch. Only for who observes.
    Asked,
    /// The server has finished a request. `idle`: and nothing else is under way. Only for who observes.
    Answered { idle: bool },
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

/// Why a connection can no longer be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opaque {
    /// The server agreed to TLS.
    Tls,
    /// The server agreed to GSSAPI encryption.
    Gss,
    /// The client began with TLS, without asking.
    DirectTls,
    /// Bytes that are not the Postgres protocol, version 3, or not where they may be.
    NotPostgres,
}

impl Opaque {
    /// For people.
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
    /// As the server writes it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
            Severity::Panic => "PANIC",
        }
    }
}

/// How bad the server says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Of a notice, whatever its level.
    Warning,
    Error,
    Fatal,
    Panic,
}

/// The first `length` bytes are dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inspected {
    /// Zero only where `then` says what is to be done before anything passes.
    pub length: usize,
    /// Whether they go on; otherwise they are swallowed.
    pub pass: bool,
    /// What is to be done after them; never [`Strike::Drop`].
    pub then: Option<Struck>,
}

impl Inspected {
    fn passed(length: usize) -> Inspected {
        Inspected { length, pass: true, then: None }
    }
}

/// What is known of one connection.
#[derive(Default)]
pub(super) struct Session {
    upstream: Frame,
    downstream: Frame,
    state: State,
}

impl Session {
    /// Looks at the next bytes of one direction, up to the first place where something is to be done.
    ///
    /// With nothing awaited one call takes all of them, except around the startup of a session and where it goes
    /// opaque. After a strike the same bytes, less `length`, are inspected again, and pass that point.
    #[inline]
    pub fn inspect(&mut self, direction: Direction, bytes: &[u8], watch: &mut impl Watch) -> Inspected {
        if self.state.opaque {
            return Inspected::passed(bytes.len());
        }
        match direction {
            Direction::Upstream => match self.state.phase {
                Phase::Typed => walk::walk::<frontend::Frontend, _>(&mut self.upstream, &mut self.state, bytes, watch),
                Phase::Startup => walk::walk::<startup::Startup, _>(&mut self.upstream, &mut self.state, bytes, watch),
                // The client is to wait for the answer: until then it is not known what its bytes would be.
                Phase::Asked(_) if !bytes.is_empty() => {
                    walk::give_up(&mut self.state, Opaque::NotPostgres, bytes, watch)
                }
                Phase::Asked(_) => Inspected::passed(0),
            },
            Direction::Downstream => {
                if let Phase::Asked(encryption) = self.state.phase
                    && self.downstream.stage == Stage::New
                    && let Some(&answer) = bytes.first()
                    && let Some(inspected) = startup::answered(&mut self.state, encryption, answer, watch)
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
