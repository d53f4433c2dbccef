//! What a judge says: data only.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::fault::DeviceAsked;
use crate::model::history::{Application, RecordedOp};
use crate::model::plane::Plane;
use crate::model::seed::Seed;
use crate::model::time::{micros, optional_micros};

/// Pass, fail or unknown; unknown is never pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum VerdictKind {
    Pass,
    Unknown,
    Fail,
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VerdictKind::Pass => "pass",
            VerdictKind::Unknown => "unknown",
            VerdictKind::Fail => "fail",
        })
    }
}

/// One rule of recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    Recovered,
    FullCapacity,
    HungOperation,
    Deadline,
    Undisturbed,
    LostWrite,
    DuplicatedWrite,
    StaleRead,
    Subscription,
    ReconnectStorm,
    ConnectionLeak,
    ErrorSurface,
    Throughput,
    Process,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Check::Recovered => "recovered",
            Check::FullCapacity => "full capacity",
            Check::HungOperation => "hung operation",
            Check::Deadline => "deadline",
            Check::Undisturbed => "undisturbed",
            Check::LostWrite => "lost write",
            Check::DuplicatedWrite => "duplicated write",
            Check::StaleRead => "stale read",
            Check::Subscription => "subscription",
            Check::ReconnectStorm => "reconnect storm",
            Check::ConnectionLeak => "connection leak",
            Check::ErrorSurface => "error surface",
            Check::Throughput => "throughput",
            Check::Process => "process",
        })
    }
}

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum CheckResult {
    Pass,
    Fail { findings: Vec<Finding> },
    NotApplicable { reason: String },
    Unknown { reason: String },
}

impl CheckResult {
    /// Fails with what was found; passes if that is nothing.
    pub(super) fn of(findings: Vec<Finding>) -> CheckResult {
        if findings.is_empty() { CheckResult::Pass } else { CheckResult::Fail { findings } }
    }

    pub(super) fn not_applicable(reason: &str) -> CheckResult {
        CheckResult::NotApplicable { reason: reason.to_owned() }
    }
}

/// One thing that is wrong, with what shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Finding {
    /// What was seen: operations, instants, codes and counts.
    pub what: String,
    /// What usually cures it.
    pub advice: String,
    /// Operations concerned, by id; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ops: Vec<u64>,
}

/// How long recovery took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Recovery {
    Recovered {
        #[serde(rename = "ttr_us", with = "micros")]
        #[cfg_attr(feature = "report", schemars(with = "u64"))]
        after: Duration,
    },
    /// Not within its budget, or within the shorter time for which it lived: the true figure is larger, and unknown.
    Censored {
        #[serde(rename = "beyond_us", with = "micros")]
        #[cfg_attr(feature = "report", schemars(with = "u64"))]
        beyond: Duration,
    },
    /// There was nothing to recover from.
    NotMeasured,
}

/// The slowest operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct WorstOp {
    pub id: u64,
    pub kind: RecordedOp,
    #[serde(rename = "took_us", with = "micros")]
    #[cfg_attr(feature = "report", schemars(with = "u64"))]
    pub took: Duration,
    /// False if it had not ended when the workload did.
    pub ended: bool,
}

/// The figures of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Measures {
    /// `None`: no operation showed the fault; the client masked it.
    #[serde(rename = "time_to_detect_us", with = "optional_micros")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub time_to_detect: Option<Duration>,
    #[serde(rename = "time_to_first_success_us", with = "optional_micros")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub time_to_first_success: Option<Duration>,
    pub time_to_recover: Recovery,
    /// Operations that did not succeed from the fault on, by SQLSTATE or kind.
    pub errors: BTreeMap<String, u64>,
    pub ok: u64,
    pub fail: u64,
    pub info: u64,
    pub worst_op: Option<WorstOp>,
    /// Connections that the client opened, the first ones included.
    pub connections_opened: u64,
    /// The most in any one second.
    pub connections_per_second_peak: u64,
    /// Median cost of the gateway on one round trip, with no fault.
    #[serde(rename = "gateway_overhead_us", with = "optional_micros")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub gateway_overhead: Option<Duration>,
    /// `None` where the scenario asks for no subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listening: Option<Listening>,
    /// `None` where the client is not supervised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<Restarts>,
}

/// What became of the processes of a supervised client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Restarts {
    /// Times that it came up again.
    pub restarted: u64,
    /// Launches that came to nothing.
    pub failed: u64,
    /// From the fault to the first exit that followed it.
    #[serde(rename = "first_exit_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub first_exit: Option<Duration>,
    /// The status of that exit, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_status: Option<String>,
    /// How long no process was there, all in all.
    #[serde(rename = "away_us", with = "micros")]
    #[cfg_attr(feature = "report", schemars(with = "u64"))]
    pub away: Duration,
    /// Whether none was there at the end.
    pub is_away: bool,
}

/// What became of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Listening {
    /// Until notifications came again, and went on coming.
    pub time_to_recover: Recovery,
    /// Notifications sent from the fault on.
    pub sent: u64,
    /// Of these, those that were never heard.
    pub lost: u64,
    /// Times in which some were lost, where the client said that it may have missed some…
    pub gaps_reported: u64,
    /// …and where it did not.
    pub gaps_hidden: u64,
}

/// Evidence of one fault, summed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct EvidenceSummary {
    pub fault: String,
    pub found: Vec<crate::model::history::Evidence>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The answer to one question about one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Verdict {
    /// The version of the stored form.
    pub format: u32,
    pub scenario: String,
    pub client: String,
    /// What there is of an application beyond its command line, where the client is one that is only watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
    /// Kind and version.
    pub server: Option<String>,
    /// Where the faults were brought about.
    pub plane: Plane,
    /// Whether that plane and no other was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plane_asked: bool,
    /// The device that was asked for in the place of the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceAsked>,
    /// Whether a process of the client that exited was launched again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub supervised: bool,
    /// The longest time-to-recover that was allowed.
    #[serde(rename = "budget_us", with = "micros")]
    #[cfg_attr(feature = "report", schemars(with = "u64"))]
    pub budget: Duration,
    pub seed: Seed,
    /// Which of the repeats this was, from 0, and of how many.
    pub repeat: u32,
    pub repeats: u32,
    pub verdict: VerdictKind,
    /// Why the harness does not trust the run; empty unless the verdict is unknown.
    pub doubts: Vec<String>,
    /// How many of the doubts only say that something of what was asked for never met the client: a fault that had no
    /// effect, callers who never had to wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unmet: u32,
    pub checks: BTreeMap<Check, CheckResult>,
    pub measures: Measures,
    pub evidence: Vec<EvidenceSummary>,
}

impl Verdict {
    /// What it comes to where a schedule of many faults is asked for, not each of which has to meet the client: the checks
    /// count, as long as one fault has met it and nothing else is in doubt.
    pub fn of_what_was_met(&self) -> VerdictKind {
        let met = |summary: &EvidenceSummary| summary.found.iter().any(|found| found.decisive && found.count > 0);
        match self.doubts.len() == self.unmet as usize && self.evidence.iter().any(met) {
            true if self.failures().next().is_some() => VerdictKind::Fail,
            true => VerdictKind::Pass,
            false => VerdictKind::Unknown,
        }
    }

    /// The checks that failed, with their findings.
    pub fn failures(&self) -> impl Iterator<Item = (Check, &[Finding])> {
        self.checks.iter().filter_map(|(check, result)| match result {
            CheckResult::Fail { findings } => Some((*check, findings.as_slice())),
            _ => None,
        })
    }

    /// The stored form: one JSON document, the same bytes for the same verdict.
    pub fn to_json(&self) -> String {
        // A verdict holds nothing that JSON cannot express.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Whether this check failed.
    pub fn fails(&self, check: Check) -> bool {
        self.failures().any(|(failed, _)| failed == check)
    }
}
