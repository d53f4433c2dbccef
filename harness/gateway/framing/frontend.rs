//! Messages of the client after its startup packet.

use super::state::State;
use super::walk::{Dialect, HEADER, Measure, Unframed, reach};
use super::{Note, Opaque, Struck, Watch};
use crate::model::fault::Point;

/// The kinds of messages that a session distinguishes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    /// Describe, Close, Flush, CopyData, Terminate, and authentication messages.
    Plain,
    Query,
    Parse,
    Bind,
    Execute,
    FunctionCall,
    Sync,
    /// CopyDone or CopyFail.
    CopyEnd,
}

#[inline]
fn kind(tag: u8) -> Kind {
    match tag {
        b'D' | b'C' | b'H' | b'd' | b'X' | b'p' => Kind::Plain,
        b'Q' => Kind::Query,
        b'P' => Kind::Parse,
        b'B' => Kind::Bind,
        b'E' => Kind::Execute,
        b'F' => Kind::FunctionCall,
        b'S' => Kind::Sync,
        b'c' | b'f' => Kind::CopyEnd,
        _ => Kind::Unknown,
    }
}

/// The dialect of a client.
pub(super) struct Frontend;

impl Dialect for Frontend {
    #[inline]
    fn is_plain(_state: &State, tag: u8, _watch: &impl Watch) -> bool {
        kind(tag) == Kind::Plain
    }

    #[inline]
    fn begin(state: &mut State, tag: u8, watch: &mut impl Watch) -> Result<Option<Struck>, Unframed> {
        match kind(tag) {
            // The server also ends the session at an unknown message type.
            Kind::Unknown => Err(Unframed::Opaque(Opaque::NotPostgres)),
            Kind::Query | Kind::Parse | Kind::Bind | Kind::Execute | Kind::FunctionCall => {
                if !state.requested {
                    state.requested = true;
                    watch.note(Note::FirstRequest);
                }
                if watch.observes() && !state.requests.is_open() {
                    watch.note(Note::RequestStarted);
                }
                Ok(if state.requests.begin() { reach(Point::Request, watch) } else { None })
            }
            Kind::Plain | Kind::Sync | Kind::CopyEnd => Ok(None),
        }
    }

    #[inline]
    fn measure(_state: &mut State, header: &[u8], _watch: &impl Watch) -> Result<Measure, Unframed> {
        let total = total(header).ok_or(Unframed::Opaque(Opaque::NotPostgres))?;
        Ok(Measure { total, wanted: 0 })
    }

    fn look(_: &mut State, _head: &[u8], _total: u64, _torn: bool, _: &mut impl Watch) -> (usize, Option<Struck>) {
        (0, None)
    }

    #[inline]
    fn end(state: &mut State, tag: u8, swallowed: bool, watch: &mut impl Watch) -> Option<Struck> {
        if swallowed {
            // The server does not answer a message that it has not seen.
            return None;
        }
        match kind(tag) {
            Kind::Query => {
                state.requests.forward_whole();
                reach(Point::QueryForwarded, watch)
            }
            Kind::FunctionCall => {
                state.requests.forward_whole();
                None
            }
            Kind::Sync => {
                state.requests.forward_sync();
                None
            }
            Kind::CopyEnd => {
                state.requests.end_copy();
                None
            }
            Kind::Parse => reach(Point::ParseForwarded, watch),
            Kind::Bind => reach(Point::BindForwarded, watch),
            Kind::Execute => reach(Point::ExecuteForwarded, watch),
            Kind::Plain | Kind::Unknown => None,
        }
    }
}

/// Returns the size of a tagged message from its header, in bytes; `None` if the length is invalid (less than 4).
#[inline]
pub(super) fn total(header: &[u8]) -> Option<u64> {
    let &[_, a, b, c, d] = header.first_chunk::<HEADER>()?;
    let length = u32::from_be_bytes([a, b, c, d]);
    (length >= 4).then(|| u64::from(length) + 1)
}
