//! A real run and its simulation, and the differences of their verdicts.

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

    /// Each kind of error, with its number on either side.
    pub fn errors(&self) -> Vec<(&str, u64, u64)> {
        let (real, simulated) = (&self.real.measures.errors, &self.simulated.measures.errors);
        let kinds: BTreeSet<_> = real.keys().chain(simulated.keys()).collect();
        let count = |of: &BTreeMap<String, u64>, kind| of.get(kind).copied().unwrap_or_default();
        kinds.into_iter().map(|kind| (kind.as_str(), count(real, kind), count(simulated, kind))).collect()
    }

    /// Times-to-recover, real and simulated, if both sides recovered.
    pub fn recovered(&self) -> Option<(Duration, Duration)> {
        match (&self.real.measures.time_to_recover, &self.simulated.measures.time_to_recover) {
            (Recovery::Recovered { after: real }, Recovery::Recovered { after: simulated }) => {
                Some((*real, *simulated))
            }
            _ => None,
        }
    }

    /// Failed checks and kinds of errors of one side alone.
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

/// The checks that failed; two failed verdicts can differ in them.
fn failed(verdict: &Verdict) -> BTreeSet<Check> {
    verdict.failures().map(|(check, _)| check).collect()
}
