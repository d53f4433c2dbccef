//! The verdicts of a real run and of its simulation, and how they differ.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgsquall::judge::{Check, Recovery, Verdict, VerdictKind};

/// The verdicts of a real run and of its simulation.
pub struct Pair {
    pub real: Verdict,
    pub simulated: Verdict,
}

impl Pair {
    /// Whether both verdicts are known and equal.
    pub fn agrees(&self) -> bool {
        self.is_known() && self.real.verdict == self.simulated.verdict
    }

    /// Whether one side passes and the other fails.
    pub fn contradicts(&self) -> bool {
        self.is_known() && self.real.verdict != self.simulated.verdict
    }

    fn is_known(&self) -> bool {
        [&self.real, &self.simulated].iter().all(|verdict| verdict.verdict != VerdictKind::Unknown)
    }

    /// Returns each kind of error with its counts: real, simulated.
    pub fn errors(&self) -> Vec<(&str, u64, u64)> {
        let (real, simulated) = (&self.real.measures.errors, &self.simulated.measures.errors);
        let kinds: BTreeSet<_> = real.keys().chain(simulated.keys()).collect();
        let count = |of: &BTreeMap<String, u64>, kind| of.get(kind).copied().unwrap_or_default();
        kinds.into_iter().map(|kind| (kind.as_str(), count(real, kind), count(simulated, kind))).collect()
    }

    /// Returns the times to recover, real and simulated, if both sides recovered.
    pub fn recovered(&self) -> Option<(Duration, Duration)> {
        match (&self.real.measures.time_to_recover, &self.simulated.measures.time_to_recover) {
            (Recovery::Recovered { after: real }, Recovery::Recovered { after: simulated }) => {
                Some((*real, *simulated))
            }
            _ => None,
        }
    }

    /// Lists what differs: the verdicts, and each failed check and kind of error that only one side has.
    pub fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        if self.real.verdict != self.simulated.verdict {
            differences.push("VERDICT".to_owned());
        }
        let (real, simulated) = (failed(&self.real), failed(&self.simulated));
        differences.extend(real.difference(&simulated).map(|check| format!("{check} real")));
        differences.extend(simulated.difference(&real).map(|check| format!("{check} sim")));
        for (kind, real, simulated) in self.errors() {
            match (real, simulated) {
                (_, 0) => differences.push(format!("{kind} real")),
                (0, _) => differences.push(format!("{kind} sim")),
                _ => {}
            }
        }
        differences
    }
}

/// Returns the checks that failed.
fn failed(verdict: &Verdict) -> BTreeSet<Check> {
    verdict.failures().map(|(check, _)| check).collect()
}
