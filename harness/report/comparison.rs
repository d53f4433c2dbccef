//! The comparison of a report with an earlier one, as it is stored: plain data.

use serde::{Deserialize, Serialize};

use crate::statistics::{Delay, Difference};

/// The comparison of a report with its baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// The file of the baseline as the user named it.
    pub baseline: String,
    /// When the baseline began, by the wall clock.
    pub began: String,
    /// The version of pgsquall that wrote the baseline.
    pub pgsquall: String,
    /// Tolerated delay of recovery, in microseconds.
    pub tolerance_us: u64,
    /// Confidence of all intervals and decisions; 0.99 means that one in a hundred is wrong by chance.
    pub confidence: f64,
    /// One for each client in each scenario, in the order of the report; then the cells that only the baseline has.
    pub changes: Vec<Change>,
}

impl Comparison {
    /// The number of changes of this kind.
    pub fn count(&self, kind: ChangeKind) -> usize {
        self.changes.iter().filter(|change| change.kind == kind).count()
    }

    /// Whether any change is for the worse.
    pub fn is_worse(&self) -> bool {
        self.count(ChangeKind::Worse) > 0
    }
}

/// The change of one client in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Change {
    pub client: String,
    pub scenario: String,
    pub kind: ChangeKind,
    /// The change in words.
    pub what: String,
    /// Absent if there are no times to compare, or too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
}

/// The direction of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The client fails but did not before, fails by another check or more often, or recovers later by more than the
    /// tolerance. Also a failure that cannot be compared with the baseline.
    Worse,
    /// The client passes but failed before, fails less often, or recovers earlier by more than the tolerance.
    Better,
    /// Neither better nor worse can be shown.
    Same,
    /// Not in the baseline, and without a failure.
    New,
    /// Only in the baseline.
    Gone,
    /// One side has no conclusive verdict, or the setup differs; the client does not fail now.
    NotComparable,
}

/// Times-to-recover of the conclusive repeats, before and now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Times {
    pub before: Figures,
    pub now: Figures,
    /// Delay of recovery compared with the baseline: the median of all differences between a run now and a run before
    /// (Hodges–Lehmann); a range if censored runs leave more than one value possible.
    pub shift: Span,
    /// The confidence interval of the shift.
    pub interval: Span,
    /// Probability that a run now takes longer than a run before; 0.5 means no difference.
    pub superiority: f64,
    /// Probability of a difference at least as large by chance alone (Mann–Whitney, two-sided).
    pub p: f64,
}

/// Number of conclusive runs with a measured time-to-recover, and their median.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Figures {
    pub runs: u64,
    /// Runs in which the client had not recovered when the observation ended.
    pub censored: u64,
    /// The median time, in microseconds; absent if censored runs leave only a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_us: Option<u64>,
}

/// A range of delays in microseconds, negative for an earlier recovery. An absent limit is unknown because of censored runs.
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
