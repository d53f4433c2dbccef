//! How much later one thing comes than another: times with a sign, and what is known of one.

use std::fmt;
use std::time::Duration;

use crate::model::time::show;

/// How much later something came, in nanoseconds; negative where it came sooner.
///
/// *Shape*: printed as durations are, with a sign: `+1.20 s`, `-300 ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delay(i64);

impl Delay {
    /// From one time to another. Times beyond seventy years are taken for seventy years.
    pub fn between(before: Duration, now: Duration) -> Delay {
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX).min(i64::MAX / 4);
        Delay(nanos(now) - nanos(before))
    }

    /// In nanoseconds.
    pub fn nanos(self) -> i64 {
        self.0
    }

    /// Without its sign.
    pub fn magnitude(self) -> Duration {
        Duration::from_nanos(self.0.unsigned_abs())
    }

    /// Halfway between two.
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

/// Between which two delays one lies; `None` where no limit is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    pub at_least: Option<Delay>,
    pub at_most: Option<Delay>,
}

impl Difference {
    /// The delay, where there is but one that it can be.
    pub fn known(self) -> Option<Delay> {
        self.at_least.filter(|_| self.at_least == self.at_most)
    }

    /// Whether no difference at all is among what it can be.
    pub fn includes_none(self) -> bool {
        let none = Delay::default();
        self.at_least.is_none_or(|least| least <= none) && self.at_most.is_none_or(|most| most >= none)
    }
}
