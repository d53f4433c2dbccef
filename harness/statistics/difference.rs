//! Delays: signed durations, and ranges of them.

use std::fmt;
use std::time::Duration;

use crate::model::time::show;

/// A delay in nanoseconds; negative for an earlier time.
///
/// *Shape*: `Display` writes it as a duration with a sign: `+1.20 s`, `-300 ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delay(i64);

impl Delay {
    /// The delay from `before` to `now`. Longer times are cut to 73 years, so the subtraction cannot overflow.
    pub fn between(before: Duration, now: Duration) -> Delay {
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX).min(i64::MAX / 4);
        Delay(nanos(now) - nanos(before))
    }

    /// The delay in nanoseconds.
    pub fn nanos(self) -> i64 {
        self.0
    }

    /// The delay without its sign.
    pub fn magnitude(self) -> Duration {
        Duration::from_nanos(self.0.unsigned_abs())
    }

    /// The delay halfway between two delays.
    pub(super) fn halfway(self, other: Delay) -> Delay {
        Delay((self.0 + other.0) / 2)
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(f, "{sign}{}", show(self.magnitude()))
    }
}

/// A range of delays; `None` for an unknown limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    pub at_least: Option<Delay>,
    pub at_most: Option<Delay>,
}

impl Difference {
    /// The delay, if the range has a single value.
    pub fn known(self) -> Option<Delay> {
        self.at_least.filter(|_| self.at_least == self.at_most)
    }

    /// Whether the range includes zero.
    pub fn includes_none(self) -> bool {
        let none = Delay::default();
        self.at_least.is_none_or(|least| least <= none) && self.at_most.is_none_or(|most| most >= none)
    }
}
