//! A whole report in a line, and what must be said before anything else of it.

use super::model::{Ending, Report};
use crate::judge::VerdictKind;

impl Report {
    /// How many runs came to what: `100 runs: 96 pass, 0 fail, 0 unknown, 4 skipped`.
    pub fn counts(&self) -> String {
        let runs = self.runs.len();
        let counted = self.endings().into_iter();
        // The three verdicts are told also where there are none.
        let told = counted.enumerate().filter(|(place, (_, count))| *place < 3 || *count > 0);
        let told: Vec<_> = told.map(|(_, (word, count))| format!("{count} {word}")).collect();
        format!("{runs} run{}: {}", if runs == 1 { "" } else { "s" }, told.join(", "))
    }

    /// How many runs ended in which way: verdicts first, then those that have none.
    pub(super) fn endings(&self) -> [(&'static str, usize); 6] {
        let without = |is: fn(&Ending) -> bool| self.runs.iter().filter(|entry| is(&entry.ending)).count();
        [
            ("pass", self.count(VerdictKind::Pass)),
            ("fail", self.count(VerdictKind::Fail)),
            ("unknown", self.count(VerdictKind::Unknown)),
            ("skipped", without(|ending| matches!(ending, Ending::Skipped { .. }))),
            ("not carried out", without(|ending| matches!(ending, Ending::NotCarriedOut { .. }))),
            ("stopped", without(|ending| matches!(ending, Ending::Stopped))),
        ]
    }

    /// Why it is not the whole of what was asked; empty where it is.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(shards) = &self.shards {
            let list = |parts: &[u32]| parts.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            let (here, missing) = (list(&shards.here), list(&shards.missing()));
            warnings.push(format!("only shard {here} of {}; missing: {missing}", shards.of));
        }
        if self.runs.iter().any(|entry| entry.ending == Ending::Stopped) {
            warnings.push("stopped before it was over".to_owned());
        }
        warnings
    }
}
