//! A whole report in one line, and the warnings that every format shows first.

use super::model::{Ending, Report};
use crate::judge::VerdictKind;

impl Report {
    /// The runs by their endings: `100 runs: 96 pass, 0 fail, 0 unknown, 4 skipped`.
    pub fn counts(&self) -> String {
        let runs = self.runs.len();
        let counted = self.endings().into_iter();
        // The three verdicts are listed even if no run has them.
        let listed = counted.enumerate().filter(|(place, (_, count))| *place < 3 || *count > 0);
        let listed: Vec<_> = listed.map(|(_, (word, count))| format!("{count} {word}")).collect();
        format!("{runs} run{}: {}", if runs == 1 { "" } else { "s" }, listed.join(", "))
    }

    /// The number of runs for each ending: verdicts first, then endings without a verdict.
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

    /// Why the report is incomplete; empty if it is complete.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(shards) = &self.shards {
            let list = |parts: &[u32]| parts.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            let (here, missing) = (list(&shards.here), list(&shards.missing()));
            warnings.push(format!("only shard {here} of {}; missing: {missing}", shards.of));
        }
        if self.runs.iter().any(|entry| entry.ending == Ending::Stopped) {
            warnings.push("the run was stopped before it ended".to_owned());
        }
        warnings
    }
}
