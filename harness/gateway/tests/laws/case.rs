//! Cases: a toxic in several strengths, with the effects that the laws expect of it.

use super::*;
pub use crate::model::fault::{Scope, Stream, Toxic};

/// A delay in milliseconds that is longer than any test.
pub const AGES: u64 = 3_600_000;

/// A message long enough for each toxic to have an effect.
pub const MESSAGE: [u8; 100] = [b'm'; 100];

/// The fate of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// The message arrives, no sooner than this after it was sent.
    Late(Duration),
    /// The message arrives when the toxic is removed.
    Held,
    /// The connection is cut, no sooner than this after the toxic was installed; a part of the message may have passed.
    Cut(Cut, Duration),
}

/// A toxic in three strengths.
#[derive(Clone, Copy)]
pub struct Case {
    /// Too weak to have an effect; `None` if the toxic has no such form.
    pub weak: Option<ToxicKind>,
    /// Strong enough for the effects below.
    pub strong: ToxicKind,
    /// Has no end within a test, and discards nothing until it is removed.
    pub endless: ToxicKind,
    /// What happens to [`MESSAGE`] under `strong`.
    pub bytes: Fate,
    pub fin: Fate,
    pub rst: Fate,
}

/// Placeholders for the fields that other cases replace.
const BASE: Case =
    Case { weak: None, strong: STALL, endless: STALL, bytes: Fate::Held, fin: Fate::Held, rst: Fate::Held };
pub const AT_ONCE: Fate = Fate::Late(Duration::ZERO);
const LATE: Fate = Fate::Late(ms(100));

pub const HELD: Case = BASE;
pub const LATE_BY_100: Case = Case { bytes: LATE, fin: LATE, rst: LATE, ..BASE };
pub const BYTES_LATE_BY_100: Case = Case { bytes: LATE, fin: AT_ONCE, rst: AT_ONCE, ..BASE };
pub const FIN_LATE_BY_100: Case = Case { bytes: AT_ONCE, fin: LATE, rst: AT_ONCE, ..BASE };
pub const CUT_BY_BYTES: Case =
    Case { bytes: Fate::Cut(Cut::Close, Duration::ZERO), fin: AT_ONCE, rst: AT_ONCE, ..BASE };
pub const CLOSED_AFTER_200: Case = all(Fate::Cut(Cut::Close, ms(200)));
pub const RESET_AFTER_200: Case = all(Fate::Cut(Cut::Reset, ms(200)));

const fn all(fate: Fate) -> Case {
    Case { bytes: fate, fin: fate, rst: fate, ..BASE }
}

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub const STALL: ToxicKind = ToxicKind::Stall { close_after: None };

pub fn stall(close_after: u64) -> ToxicKind {
    ToxicKind::Stall { close_after: Some(ms(close_after)) }
}

pub fn latency(delay: u64) -> ToxicKind {
    ToxicKind::Latency { delay: ms(delay), jitter: Duration::ZERO }
}

pub fn bandwidth(bytes_per_second: u64) -> ToxicKind {
    ToxicKind::Bandwidth { bytes_per_second }
}

/// A slicer with pieces of `average` bytes, and a pause in milliseconds after each.
pub fn slicer(average: u32, pause: u64) -> ToxicKind {
    ToxicKind::Slicer { average, variation: 0, pause: ms(pause) }
}

pub fn limit(bytes: u64) -> ToxicKind {
    ToxicKind::Limit { bytes }
}

pub fn slow_close(delay: u64) -> ToxicKind {
    ToxicKind::SlowClose { delay: ms(delay) }
}

pub fn reset(after: u64) -> ToxicKind {
    ToxicKind::Reset { after: ms(after) }
}
