//! Messages of the server.

use super::error_fields::ErrorFields;
use super::frame::PREFIX;
use super::frontend::total;
use super::state::State;
use super::walk::{Dialect, HEADER, Measure, Unframed, reach};
use super::{Note, Opaque, Severity, Struck, Watch};
use crate::model::fault::{Point, Strike};

/// The whole CommandComplete of a COMMIT. A failed transaction gets ROLLBACK instead.
const COMMIT: &[u8] = b"C\0\0\0\x0bCOMMIT\0";

/// Until the session is ready, an error longer than this, in bytes, has the form used before protocol 3.
///
/// *Source*: libpq, `MAX_ERRLEN` in `PQconnectPoll`.
const LONGEST_FIRST_ERROR: u64 = 30_000;

/// The kinds of messages that a session distinguishes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    /// Part of an answer or of the startup; only its length matters.
    Plain,
    /// ParameterStatus or NotificationResponse: may arrive at any time, and is no part of an answer.
    Asynchronous,
    Notice,
    Error,
    Authentication,
    Key,
    Ready,
    Complete,
    Row,
    /// CopyInResponse.
    CopyIn,
}

#[inline]
fn kind(tag: u8) -> Kind {
    match tag {
        b'1' | b'2' | b'3' | b'H' | b'I' | b'T' | b'V' | b'W' | b'c' | b'd' | b'n' | b's' | b't' | b'v' => Kind::Plain,
        b'A' | b'S' => Kind::Asynchronous,
        b'N' => Kind::Notice,
        b'E' => Kind::Error,
        b'R' => Kind::Authentication,
        b'K' => Kind::Key,
        b'Z' => Kind::Ready,
        b'C' => Kind::Complete,
        b'D' => Kind::Row,
        b'G' => Kind::CopyIn,
        _ => Kind::Unknown,
    }
}

/// The dialect of a server.
pub(super) struct Backend;

impl Dialect for Backend {
    #[inline]
    fn is_plain(state: &State, tag: u8, watch: &impl Watch) -> bool {
        state.started
            && match kind(tag) {
                Kind::Plain => !state.requests.is_answer_due(),
                Kind::Row => !state.requests.is_answer_due() && !watch.awaits(Point::DataRow),
                Kind::Asynchronous => true,
                _ => false,
            }
    }

    #[inline]
    fn begin(state: &mut State, tag: u8, watch: &mut impl Watch) -> Result<Option<Struck>, Unframed> {
        match kind(tag) {
            Kind::Unknown => Err(Unframed::Opaque(Opaque::NotPostgres)),
            kind if !state.started && kind != Kind::Error => Err(Unframed::Opaque(Opaque::NotPostgres)),
            Kind::Asynchronous | Kind::Notice => Ok(None),
            _ if state.is_ready() && state.requests.is_answer_due() => {
                state.requests.begin_answer();
                Ok(reach(Point::FirstReply, watch))
            }
            _ => Ok(None),
        }
    }

    #[inline]
    fn measure(state: &mut State, header: &[u8], watch: &impl Watch) -> Result<Measure, Unframed> {
        const NOT_POSTGRES: Unframed = Unframed::Opaque(Opaque::NotPostgres);
        let kind = kind(header[0]);
        let total = match total(header) {
            _ if kind == Kind::Error && !state.is_ready() && is_ancient(header) => return Err(Unframed::Ancient),
            Some(total) => total,
            None => return Err(NOT_POSTGRES),
        };
        let wanted = match kind {
            Kind::Error | Kind::Notice => total.min(PREFIX as u64) as usize,
            Kind::Authentication | Kind::Key if total < 9 => return Err(NOT_POSTGRES),
            Kind::Authentication | Kind::Key => 9,
            Kind::Ready if total != 6 => return Err(NOT_POSTGRES),
            Kind::Ready => 6,
            Kind::Complete if total == COMMIT.len() as u64 && watch.awaits(Point::CommitReply) => COMMIT.len(),
            _ => 0,
        };
        Ok(Measure { total, wanted })
    }

    #[inline]
    fn look(
        state: &mut State,
        head: &[u8],
        _total: u64,
        torn: bool,
        watch: &mut impl Watch,
    ) -> (usize, Option<Struck>) {
        let struck = match *head {
            [b'Z', _, _, _, _, status] => {
                // The first ReadyForQuery ends the startup, even if the client has already sent a request.
                if state.is_ready() && state.requests.finish() && watch.observes() {
                    watch.note(Note::RequestFinished { idle: state.requests.is_idle() });
                }
                if status != state.status {
                    state.status = status;
                    watch.note(Note::Ready(status));
                }
                None
            }
            [b'C', ..] if head == COMMIT => match reach(Point::CommitReply, watch) {
                // The client would take the following bytes for the rest of the message.
                Some((Strike::Drop, rule)) if torn => Some((Strike::Close, rule)),
                struck => struck,
            },
            [b'R', _, _, _, _, 0, 0, 0, 0] => {
                watch.note(Note::Authenticated);
                None
            }
            [b'R', ..] if !state.challenged => {
                state.challenged = true;
                reach(Point::Authentication, watch)
            }
            [b'K', _, _, _, _, a, b, c, d] => {
                watch.note(Note::BackendPid(u32::from_be_bytes([a, b, c, d])));
                None
            }
            [b'E', ..] => {
                state.requests.end_copy();
                let ErrorFields { severity, sqlstate } = ErrorFields::read(&head[HEADER..]);
                // An error without SQLSTATE violates the protocol, and is noted as internal_error (XX000).
                watch.note(Note::Error { severity, sqlstate: sqlstate.unwrap_or(*b"XX000") });
                None
            }
            [b'N', ..] => {
                if let Some(sqlstate) = ErrorFields::read(&head[HEADER..]).sqlstate
                    && sqlstate.starts_with(b"57")
                {
                    watch.note(Note::Notice { severity: Severity::Warning, sqlstate });
                }
                None
            }
            _ => None,
        };
        (0, struck)
    }

    #[inline]
    fn middle(tag: u8, total: u64) -> Option<(u64, Point)> {
        let body = total - HEADER as u64;
        (tag == b'D' && body > 0).then_some((HEADER as u64 + body / 2, Point::DataRow))
    }

    #[inline]
    fn end(state: &mut State, tag: u8, swallowed: bool, watch: &mut impl Watch) -> Option<Struck> {
        match kind(tag) {
            Kind::CopyIn => {
                state.requests.begin_copy();
                None
            }
            Kind::Complete if !swallowed => reach(Point::CommandComplete, watch),
            Kind::Ready if !swallowed && state.status == b'T' => reach(Point::InTransaction, watch),
            _ => None,
        }
    }
}

#[inline]
fn is_ancient(header: &[u8]) -> bool {
    total(header).is_none_or(|total| !(9..=LONGEST_FIRST_ERROR + 1).contains(&total))
}
