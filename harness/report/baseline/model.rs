//! What is stored of a comparison: plain data.

use serde::{Deserialize, Serialize};

use crate::statistics::{Delay, Difference};

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
    /// By how much a client may recover later than before, in microseconds.
    pub tolerance_us: u64,
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
    /// There is no verdict to compare, now or before, or something else was asked.
    NotComparable,
}

/// Times-to-recover of all repeats, before and now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Times {
    pub before: Figures,
    pub now: Figures,
    /// By how much the client recovers later now: the median of all differences between a run of now and one of before
    /// (Hodges–Lehmann); a span where censored runs leave more than one possible.
    pub shift: Span,
    /// The confidence interval of the shift.
    pub interval: Span,
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

/// Between which two delays one lies, in microseconds, negative where something comes sooner; a limit that is absent is not
/// known, because of censored runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Span {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_us: Option<i64>,
}

impl From<Difference> for Span {
    fn from(difference: Difference) -> Span {
        let micros = |delay: Delay| delay.nanos() / 1_000;
        Span { at_least_us: difference.at_least.map(micros), at_most_us: difference.at_most.map(micros) }
    }
}
