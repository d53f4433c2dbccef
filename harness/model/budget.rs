//! The limits that a verdict is measured against, each with its unit and its reason.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::micros;

/// The instant from which recovery is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryFrom {
    /// From the heal: the client is not blamed for the outage itself.
    Heal,
    /// From the injection, if only the client can repair the damage (a dead connection that it must replace).
    Inject,
}

/// Every limit of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The longest acceptable time-to-recover.
    #[serde(rename = "time_to_recover_us", with = "micros")]
    pub time_to_recover: Duration,
    /// The instant at which time-to-recover starts.
    pub from: RecoveryFrom,
    /// The longest that one operation may take before it counts as hung.
    #[serde(rename = "op_deadline_us", with = "micros")]
    pub op_deadline: Duration,
    /// How long no operation may fail before the client counts as recovered.
    #[serde(rename = "stability_us", with = "micros")]
    pub stability: Duration,
    /// The longest time from the first operation affected by a persistent fault until the client reports its cause.
    #[serde(rename = "fail_fast_us", with = "micros")]
    pub fail_fast: Duration,
    /// An operation that is open under the fault for longer than this counts as affected, even if it then succeeds.
    #[serde(rename = "stall_threshold_us", with = "micros")]
    pub stall_threshold: Duration,
    /// The most connection attempts per worker in any second of an outage, beyond the number of operations in flight.
    pub attempts_per_worker: u32,
    /// The lowest acceptable rate of successful operations after recovery, as a share of the rate before the fault.
    pub throughput: f64,
    /// Whether no operation may fail, because all of them stay possible under the fault.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undisturbed: bool,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            // The vendor's own limit of a transient problem: "If the problem lasts longer than 60 seconds".
            time_to_recover: Duration::from_secs(60),
            from: RecoveryFrom::Heal,
            // An operation that outlives the longest transient problem has no deadline at all.
            op_deadline: Duration::from_secs(60),
            // Long enough for a few dozen operations of every worker, so that one lucky success is not a recovery.
            stability: Duration::from_secs(2),
            // A wrong password is known after one round trip; ten seconds allow for a slow machine and one retry.
            fail_fast: Duration::from_secs(10),
            // A hundred times a loopback round trip on a busy machine.
            stall_threshold: Duration::from_secs(1),
            // Exponential backoff from 50 ms makes about six attempts in its first second; ten allow for jitter.
            attempts_per_worker: 10,
            throughput: 0.9,
            // Most faults make some operations impossible.
            undisturbed: false,
        }
    }
}
