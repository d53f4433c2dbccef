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
    /// From the injection, where the cure is the client's own (a dead connection it must replace).
    Inject,
}

/// Every limit of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The longest acceptable time-to-recover.
    #[serde(rename = "time_to_recover_us", with = "micros")]
    pub time_to_recover: Duration,
    /// Where time-to-recover starts.
    pub from: RecoveryFrom,
    /// The longest that one operation may take before it counts as hung.
    #[serde(rename = "op_deadline_us", with = "micros")]
    pub op_deadline: Duration,
    /// How long everything must work before the client counts as recovered.
    #[serde(rename = "stability_us", with = "micros")]
    pub stability: Duration,
    /// How soon a persistent fault must be reported by its code.
    #[serde(rename = "fail_fast_us", with = "micros")]
    pub fail_fast: Duration,
    /// An operation slower than this shows that the fault was noticed, even if it then succeeds.
    #[serde(rename = "stall_threshold_us", with = "micros")]
    pub stall_threshold: Duration,
    /// Connection attempts per worker in any one second of an outage, beyond those that the workload asked for.
    pub attempts_per_worker: u32,
    /// The settled rate of successes as a share of the steady one.
    pub throughput: f64,
    /// Whether the fault leaves every operation possible, so that none may fail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undisturbed: bool,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            // "If the problem lasts longer than 60 seconds" is the vendor's own line between transient and not.
            time_to_recover: Duration::from_secs(60),
            from: RecoveryFrom::Heal,
            // An operation that outlives the longest transient problem has no deadline at all.
            op_deadline: Duration::from_secs(60),
            // Long enough for a few dozen operations of every worker, so that one lucky success is not a recovery.
            stability: Duration::from_secs(2),
            // A wrong password is known after one round trip; ten seconds forgive a slow machine and one retry.
            fail_fast: Duration::from_secs(10),
            // A hundred times a loopback round trip on a busy machine.
            stall_threshold: Duration::from_secs(1),
            // Exponential backoff from 50 ms makes about six attempts in its first second; ten forgive jitter.
            attempts_per_worker: 10,
            throughput: 0.9,
            // Most faults make some operations impossible.
            undisturbed: false,
        }
    }
}
