//! How hard a client is driven: plain data shared by plans, histories and the workload.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::{micros, optional_micros};

/// The most operations that are open at once. Above it the harness, not the client, would be what is measured on a small
/// machine.
pub(crate) const MOST_WORKERS: u32 = 256;

/// The pace of a workload.
///
/// Open in time, closed in number: each worker has a fixed grid of intended starts, and at most one operation open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Operations open at once; never more than the client says it can carry, unless there are more callers than that.
    pub workers: u32,
    /// How many callers there are for each operation that the client says it can carry. With more than one some wait for
    /// a connection, instead of `workers`.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub callers_per_connection: u32,
    /// Between two intended starts of one worker.
    #[serde(rename = "interval_us", with = "micros")]
    pub interval: Duration,
    /// When nothing is begun, so that the client's connections are idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Whether the client also listens, and is sent notifications.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub listen: bool,
    /// How long the application waits for one operation before it cancels it; `None`: for as long as it takes.
    #[serde(rename = "deadline_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
}

/// A time in which no worker begins anything. Starts in it are skipped, not made up for.
///
/// *Units*: `at` counts as the onsets of faults do, from the first moment of steady state.
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
    /// Operations open at once, with a client that says how many it can carry.
    pub fn workers_of(&self, concurrency: u32) -> u32 {
        match self.has_waiters() {
            true => concurrency.saturating_mul(self.callers_per_connection).min(MOST_WORKERS),
            false => self.workers.min(concurrency),
        }
    }

    /// Whether more operations are to be open at once than the client can carry.
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
