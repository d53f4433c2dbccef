//! The load on a client: plain data shared by plans, histories and the workload.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::{micros, optional_micros};

/// The most operations that are open at once. With more, a small machine would measure the harness instead of the
/// client.
pub(crate) const MOST_WORKERS: u32 = 256;

/// The pace of a workload.
///
/// Each worker has a fixed grid of intended starts, and at most one operation open: the workload is open in time, but
/// closed in number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// The most operations open at once; fewer if the client's `concurrency` is lower. Unused if
    /// `callers_per_connection` is more than 1.
    pub workers: u32,
    /// The number of callers per operation that the client can run at once (its `concurrency`). If it is more than 1,
    /// it replaces `workers`, and some callers wait for a connection.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub callers_per_connection: u32,
    /// The time between two intended starts of one worker.
    #[serde(rename = "interval_us", with = "micros")]
    pub interval: Duration,
    /// A time in which no operation begins, so that the client's connections are idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Whether the client also subscribes to notifications, which the harness sends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub listen: bool,
    /// How long the application waits for one operation before it cancels it; `None`: without limit.
    #[serde(rename = "deadline_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
}

/// A time in which no worker begins an operation. Intended starts in it are skipped, and not caught up later.
///
/// *Units*: `at` counts from the first moment of steady state, like the onset of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    #[serde(rename = "at_us", with = "micros")]
    pub at: Duration,
    #[serde(rename = "for_us", with = "micros")]
    pub lasts: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        // 80 operations a second: enough to place an instant within 50 ms, and light enough that a dozen
        // experiments share two cores without changing each other's figures.
        Pace {
            workers: 4,
            callers_per_connection: one(),
            interval: Duration::from_millis(50),
            pause: None,
            listen: false,
            deadline: None,
        }
    }
}

impl Pace {
    /// The most operations open at once, with a client of this concurrency.
    pub fn workers_of(&self, concurrency: u32) -> u32 {
        match self.has_waiters() {
            true => concurrency.saturating_mul(self.callers_per_connection).min(MOST_WORKERS),
            false => self.workers.min(concurrency),
        }
    }

    /// Whether more operations are open at once than the client can run, so that some wait for a connection.
    pub fn has_waiters(&self) -> bool {
        self.callers_per_connection > 1
    }
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}
