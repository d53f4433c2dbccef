//! What is known of a time that may lie beyond the end of what was watched.

use std::time::Duration;

/// A time to recover, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// This long.
    Known(Duration),
    /// This long or longer; how much longer nobody waited to see.
    Beyond(Duration),
}

impl Bound {
    /// The time, or what it is at least.
    pub fn at_least(self) -> Duration {
        match self {
            Bound::Known(time) | Bound::Beyond(time) => time,
        }
    }

    /// The time, where it is known.
    pub fn known(self) -> Option<Duration> {
        match self {
            Bound::Known(time) => Some(time),
            Bound::Beyond(_) => None,
        }
    }
}
