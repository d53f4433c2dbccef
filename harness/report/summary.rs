//! A whole report in a line, and what must be said before anything else of it.

use super::model::{Ending, Report};
use crate::judge::VerdictKind;

impl Report {
    /// How many runs came to what: `100 runs: 96 pass, 0 fail, 0 unknown, 4 skipped`.
    pub fn counts(&self) -> String {
        let runs = self.runs.len();
        let mut text = format!(
            "{runs} run{}: {} pass, {} fail, {} unknown",
            if runs == 1 { "" } else { "s" },
            self.count(VerdictKind::Pass),
            self.count(VerdictKind::Fail),
            self.count(VerdictKind::Unknown)
        );
        for (what, ended) in [
            ("skipped", (|ending| matches!(ending, Ending::Skipped { .. })) as fn(&Ending) -> bool),
            ("not carried out", |ending| matches!(ending, Ending::NotCarriedOut { .. })),
            ("stopped", |ending| matches!(ending, Ending::Stopped)),
        ] {
            match self.runs.iter().filter(|entry| ended(&entry.ending)).count() {
                0 => {}
                count => text += &format!(", {count} {what}"),
            }
        }
        text
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
