//! Verdict, checks, findings and measures: data only.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::history::{RecordedOp, RunSetup};
use crate::model::time::{micros, optional_micros};
use crate::model::{display_words, words};

words! {
    /// Pass, fail or unknown. An unknown run proves nothing and never counts as a pass.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
    pub enum VerdictKind {
        Pass = "pass",
        Unknown = "unknown",
        Fail = "fail",
    }
}

display_words!(VerdictKind);

words! {
    /// One rule that a client must keep.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
    pub enum Check {
        Recovered = "recovered",
        FullCapacity = "full-capacity",
        HungOperation = "hung-operation",
        Deadline = "deadline",
        Undisturbed = "undisturbed",
        LostWrite = "lost-write",
        DuplicatedWrite = "duplicated-write",
        StaleRead = "stale-read",
        Subscription = "subscription",
        ReconnectStorm = "reconnect-storm",
        ConnectionLeak = "connection-leak",
        ErrorSurface = "error-surface",
        Throughput = "throughput",
        Process = "process",
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word().replace('-', " "))
    }
}

/// The result of one check.
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
    /// Fails with these findings; passes if there are none.
    pub(super) fn from_findings(findings: Vec<Finding>) -> CheckResult {
        if findings.is_empty() { CheckResult::Pass } else { CheckResult::Fail { findings } }
    }

    pub(super) fn not_applicable(reason: &str) -> CheckResult {
        CheckResult::NotApplicable { reason: reason.to_owned() }
    }
}

/// One violation of a check, with the figures that show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The violation: operations, instants, codes and counts.
    pub what: String,
    /// The usual remedy.
    pub advice: String,
    /// Ids of the first few operations concerned.
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
    /// The client did not recover while it was observed. The true time is longer than `beyond`, which is the observed
    /// time, but at most the budget.
    Censored {
        #[serde(rename = "beyond_us", with = "micros")]
        #[cfg_attr(feature = "report", schemars(with = "u64"))]
        beyond: Duration,
    },
    /// A fault was not healed, or cannot be healed while the client runs, so recovery was not timed.
    NotMeasured,
}

/// The operation with the longest time from its intended start to its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct WorstOp {
    pub id: u64,
    pub kind: RecordedOp,
    #[serde(rename = "took_us", with = "micros")]
    #[cfg_attr(feature = "report", schemars(with = "u64"))]
    pub took: Duration,
    /// False if it was still open when the workload ended.
    pub ended: bool,
}

/// The figures of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Measures {
    /// `None` if no operation failed or stalled: the client masked the fault.
    #[serde(rename = "time_to_detect_us", with = "optional_micros")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub time_to_detect: Option<Duration>,
    #[serde(rename = "time_to_first_success_us", with = "optional_micros")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub time_to_first_success: Option<Duration>,
    pub time_to_recover: Recovery,
    /// Errors of the operations answered since the fault, by SQLSTATE or kind.
    pub errors: BTreeMap<String, u64>,
    pub ok: u64,
    pub fail: u64,
    pub info: u64,
    pub worst_op: Option<WorstOp>,
    /// Connections that reached the gateway in the whole run, without cancel requests.
    pub connections_opened: u64,
    /// Most of these connections opened within one second.
    pub connections_per_second_peak: u64,
    /// Median time that the gateway adds to a round trip without a fault.
    #[serde(rename = "gateway_overhead_us", with = "optional_micros")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub gateway_overhead: Option<Duration>,
    /// `None` if the scenario has no subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listening: Option<Listening>,
    /// `None` if the client is not supervised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<Restarts>,
}

/// Exits and restarts of a supervised client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Restarts {
    /// Successful restarts.
    pub restarted: u64,
    /// Failed launches.
    pub failed: u64,
    /// From the fault to the first exit after it.
    #[serde(rename = "first_exit_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub first_exit: Option<Duration>,
    /// The status of that exit, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_status: Option<String>,
    /// Total time without a running process.
    #[serde(rename = "away_us", with = "micros")]
    #[cfg_attr(feature = "report", schemars(with = "u64"))]
    pub away: Duration,
    /// Whether no process was running at the end.
    pub is_away: bool,
}

/// Figures of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Listening {
    /// Time until notifications arrived again without loss.
    pub time_to_recover: Recovery,
    /// Notifications sent from the fault on, without the last ones, which may not have had time to arrive.
    pub sent: u64,
    /// Those of `sent` that never arrived.
    pub lost: u64,
    /// Periods of loss that the client reported as a gap.
    pub gaps_reported: u64,
    /// Periods of loss that the client did not report.
    pub gaps_hidden: u64,
}

/// The evidence of one fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct EvidenceSummary {
    pub fault: String,
    pub found: Vec<crate::model::history::Evidence>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The judgement of one run: one client in one scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Verdict {
    /// The version of the stored form.
    pub format: u32,
    /// In JSON its fields stand among those of the verdict.
    #[serde(flatten)]
    pub setup: RunSetup,
    /// Kind and version, and the middlebox in front of the server if there is one.
    pub server: Option<String>,
    /// The longest time-to-recover that the check *recovered* accepts.
    #[serde(rename = "budget_us", with = "micros")]
    #[cfg_attr(feature = "report", schemars(with = "u64"))]
    pub budget: Duration,
    pub verdict: VerdictKind,
    /// Why the run is inconclusive; empty unless the verdict is unknown.
    pub doubts: Vec<String>,
    /// How many of the doubts only say that a fault did not affect the client, or that no caller had to wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unmet: u32,
    pub checks: BTreeMap<Check, CheckResult>,
    pub measures: Measures,
    pub evidence: Vec<EvidenceSummary>,
}

impl Verdict {
    /// The verdict on a schedule of many faults, not all of which must affect the client: the checks decide if at least one
    /// fault had an effect and there is no other doubt.
    pub fn kind_for_schedule(&self) -> VerdictKind {
        let had_effect =
            |summary: &EvidenceSummary| summary.found.iter().any(|found| found.decisive && found.count > 0);
        match self.doubts.len() == self.unmet as usize && self.evidence.iter().any(had_effect) {
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

    /// The stored JSON document; the same verdict gives the same bytes.
    pub fn to_json(&self) -> String {
        // A verdict has no value that JSON cannot express.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Whether this check failed.
    pub fn fails(&self, check: Check) -> bool {
        self.failures().any(|(failed, _)| failed == check)
    }
}
