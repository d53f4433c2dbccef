//! The walk along the messages of one direction: finds their ends and applies strikes; a [`Dialect`] defines what the
//! messages mean. [`walk`] is one long loop on purpose: its steps share the position in the frame, and all traffic
//! passes through it.

use super::frame::{Frame, Stage};
use super::state::State;
use super::{Inspected, Note, Opaque, Struck, Watch};
use crate::model::fault::{Point, Strike};

/// Length of a message header in bytes, except during the startup.
pub(super) const HEADER: usize = 5;

/// Why a message cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unframed {
    Opaque(Opaque),
    /// An error in the form used before protocol 3.
    Ancient,
}

/// The size of a message with its header, and how many of its first bytes [`Dialect::look`] reads; both in bytes.
pub(super) struct Measure {
    pub total: u64,
    pub wanted: usize,
}

/// The meaning of the messages of one direction, and their points. Each place has at most one point.
pub(super) trait Dialect {
    /// Number of bytes that determine the length of a message.
    const HEADER: usize = HEADER;

    /// Whether a message can be skipped without a call of the other functions.
    fn is_plain(state: &State, tag: u8, watch: &impl Watch) -> bool;

    /// Called when the first byte of a message has arrived; returns the strike before the message. After an error the
    /// state is unchanged, and the call can be repeated.
    ///
    /// *Errors*: the session cannot be parsed from here on.
    fn begin(state: &mut State, tag: u8, watch: &mut impl Watch) -> Result<Option<Struck>, Unframed>;

    /// Called when the header of a message has arrived; otherwise as [`Dialect::begin`].
    ///
    /// *Errors*: as [`Dialect::begin`].
    fn measure(state: &mut State, header: &[u8], watch: &impl Watch) -> Result<Measure, Unframed>;

    /// Called when the wanted bytes have arrived; returns how many first bytes the next look wants (0: no look), and
    /// the strike before the message. `torn`: some of its bytes have been passed on.
    fn look(state: &mut State, head: &[u8], total: u64, torn: bool, watch: &mut impl Watch) -> (usize, Option<Struck>);

    /// Returns the offset of a point inside a message, before its last byte.
    fn middle(_tag: u8, _total: u64) -> Option<(u64, Point)> {
        None
    }

    /// Called when the last byte of a message has been passed or dropped; returns the strike after the message.
    fn end(state: &mut State, tag: u8, swallowed: bool, watch: &mut impl Watch) -> Option<Struck>;

    /// Whether the next message may be of another dialect.
    const ENDS: bool = false;
}

/// Returns the action at a point. A drop is ignored at points without a message that could be dropped.
#[inline]
pub(super) fn reach(point: Point, watch: &mut impl Watch) -> Option<Struck> {
    if !watch.awaits(point) {
        return None;
    }
    watch.reach(point).filter(|(strike, _)| *strike != Strike::Drop || point.holds_message())
}

/// Makes the session opaque: from here on all bytes pass, in both directions.
#[cold]
pub(super) fn give_up(state: &mut State, why: Opaque, bytes: &[u8], watch: &mut impl Watch) -> Inspected {
    state.opaque = true;
    watch.note(Note::Opaque(why));
    Inspected::passed(bytes.len())
}

#[cold]
fn leave(why: Unframed, frame: &mut Frame, state: &mut State, bytes: &[u8], watch: &mut impl Watch) -> Inspected {
    match why {
        Unframed::Opaque(why) => give_up(state, why, bytes, watch),
        Unframed::Ancient => super::ancient::collect(frame, state, bytes, watch),
    }
}

/// Returns the length of the complete plain messages at the beginning of `bytes`.
#[inline]
fn skim<D: Dialect>(state: &State, bytes: &[u8], watch: &impl Watch) -> usize {
    let mut at = 0;
    while let Some(&[tag, a, b, c, d]) = bytes[at..].first_chunk() {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length < HEADER - 1 || length >= bytes.len() - at || !D::is_plain(state, tag, watch) {
            break;
        }
        at += 1 + length;
    }
    at
}

/// Walks to the first place with an action, or to the end of `bytes`.
pub(super) fn walk<D: Dialect, W: Watch>(
    frame: &mut Frame,
    state: &mut State,
    bytes: &[u8],
    watch: &mut W,
) -> Inspected {
    let mut at = 0;
    loop {
        if frame.stage == Stage::New {
            at += skim::<D>(state, &bytes[at..], watch);
        }
        let rest = &bytes[at..];
        let Some(&first) = rest.first() else { break };
        let mut struck = None;
        if frame.stage == Stage::New {
            match D::begin(state, first, watch) {
                Ok(strike) => struck = strike,
                Err(_) if at > 0 => break,
                Err(why) => return leave(why, frame, state, bytes, watch),
            }
            frame.tag = first;
            frame.stage = Stage::Begun;
        }
        // Each round applies one strike before the message: of its first byte, then of each look at its content.
        loop {
            match struck.take() {
                None => {}
                Some((Strike::Drop, _)) if frame.swallowed => {}
                Some((Strike::Drop, _)) => {
                    frame.swallowed = true;
                    if at > 0 {
                        return Inspected::passed(at);
                    }
                }
                then => return Inspected { length: at, pass: !frame.swallowed, then },
            }
            if frame.stage == Stage::Begun {
                let Some(header) = frame.head(rest, D::HEADER) else { break };
                match D::measure(state, header, watch) {
                    Ok(measure) => {
                        frame.total = measure.total;
                        frame.wanted = measure.wanted as u16;
                        frame.stage = Stage::Measured;
                    }
                    Err(_) if at > 0 => return Inspected::passed(at),
                    Err(why) => return leave(why, frame, state, bytes, watch),
                }
            }
            if frame.wanted == 0 {
                break;
            }
            let (total, torn) = (frame.total, frame.seen > 0);
            let Some(head) = frame.head(rest, usize::from(frame.wanted)) else { break };
            let (wanted, strike) = D::look(state, head, total, torn, watch);
            frame.wanted = wanted as u16;
            struck = strike;
        }
        if frame.stage != Stage::Measured {
            frame.seen += rest.len() as u64;
            at = bytes.len();
            break;
        }
        let step = (frame.total - frame.seen).min(rest.len() as u64);
        if let Some((middle, point)) = D::middle(frame.tag, frame.total)
            && !frame.swallowed
            && frame.seen < middle
            && middle <= frame.seen + step
            && let Some(strike) = reach(point, watch)
        {
            at += (middle - frame.seen) as usize;
            frame.seen = middle;
            return Inspected { length: at, pass: true, then: Some(strike) };
        }
        frame.seen += step;
        at += step as usize;
        if frame.seen == frame.total {
            let (tag, swallowed) = (frame.tag, frame.swallowed);
            frame.finish();
            let then = D::end(state, tag, swallowed, watch);
            if swallowed || then.is_some() || D::ENDS {
                return Inspected { length: at, pass: !swallowed, then };
            }
        }
    }
    Inspected { length: at, pass: !frame.swallowed, then: None }
}
