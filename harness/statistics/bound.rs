//! A time-to-recover of which only a lower bound may be known.

use std::time::Duration;

/// A time-to-recover, or its lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The time.
    Known(Duration),
    /// The time is at least this long; more is not known, because a repeat of this rank or a lower one was censored.
    Beyond(Duration),
}

impl Bound {
    /// The time or its lower bound.
    pub fn at_least(self) -> Duration {
        match self {
            Bound::Known(time) | Bound::Beyond(time) => time,
        }
    }

    /// The time, if it is known.
    pub fn known(self) -> Option<Duration> {
        match self {
            Bound::Known(time) => Some(time),
            Bound::Beyond(_) => None,
        }
    }
}
