//! What has changed since an earlier run of the same questions.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A report beside its baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// The file of the baseline, as it was named.
    pub baseline: String,
    /// When the baseline began, by the wall clock.
    pub began: String,
    /// The version of pgsquall that wrote it.
    pub pgsquall: String,
    /// By how much a client may recover later than before, in words.
    pub tolerance: String,
    /// Of the intervals below, and of every decision: 0.99 means that one in a hundred is wrong by chance.
    pub confidence: f64,
    /// One for each client in each scenario, in the order of the report; then what the report has no more.
    pub changes: Vec<Change>,
}

/// What has become of one client in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Change {
    pub client: String,
    pub scenario: String,
    pub kind: ChangeKind,
    /// In words.
    pub what: String,
    /// Absent where there are no times to compare, or too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
}

/// Whether something is better or worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It fails where it did not, fails more often, or recovers later by more than is tolerated.
    Worse,
    /// It passes where it failed, or recovers earlier by more than is tolerated.
    Better,
    /// Neither can be shown.
    Same,
    /// The baseline does not have it.
    New,
    /// Only the baseline has it.
    Gone,
    /// It has no verdict, now or before: skipped, unknown, not carried out.
    NotComparable,
}

/// Times-to-recover of all repeats, before and now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Times {
    pub before: Figures,
    pub now: Figures,
    /// By how much the client recovers later now, in microseconds: the median of all differences between a run of now and
    /// one of before (Hodges–Lehmann); absent where too many were censored to say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_us: Option<i64>,
    /// The confidence interval of the shift; a bound that is absent is not known, because of censored runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_low_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_high_us: Option<i64>,
    /// The probability that a run of now takes longer than one of before; 0.5: neither does.
    pub superiority: f64,
    /// That of a difference as large as this by chance alone (Mann–Whitney, two-sided).
    pub p: f64,
}

/// Of how many times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Figures {
    pub runs: u64,
    /// Those that did not recover while they were watched.
    pub censored: u64,
    /// Their median; absent where half of them were censored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_us: Option<u64>,
}

/// The comparison as a part of a Markdown page.
pub(super) fn markdown(to: &mut String, comparison: &Comparison) -> std::fmt::Result {
    writeln!(to, "Since {}", comparison.baseline)
}
