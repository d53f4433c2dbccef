//! Cells of the matrix: all repeats of one client in one scenario, with their worst verdict and their recovery times.

use super::model::{Ending, Entry, Report, ScenarioInfo};
use crate::judge::{Recovery, Verdict, VerdictKind};
use crate::statistics::{Observation, Sample};

/// All repeats of one client in one scenario, in order; never empty.
#[derive(Clone, Debug)]
pub struct Cell<'a> {
    pub client: &'a str,
    pub scenario: &'a str,
    pub runs: Vec<&'a Entry>,
}

impl<'a> Cell<'a> {
    /// The verdicts of the runs that have one.
    pub fn verdicts(&self) -> impl Iterator<Item = &'a Verdict> + '_ {
        self.runs.iter().filter_map(|entry| entry.verdict())
    }

    /// The first verdict of the worst kind (fail, then unknown), which represents the cell.
    pub fn worst(&self) -> Option<&'a Verdict> {
        self.verdicts().reduce(|worst, next| if next.verdict > worst.verdict { next } else { worst })
    }

    /// How many runs have this verdict.
    pub fn count(&self, kind: VerdictKind) -> usize {
        self.verdicts().filter(|verdict| verdict.verdict == kind).count()
    }

    /// The worst verdict and, for several runs, how many of them have it: `fail 3/20`; without a verdict the state.
    pub fn verdict_in_words(&self) -> String {
        match self.worst() {
            None => self.state().to_owned(),
            Some(worst) if self.runs.len() == 1 => worst.verdict.to_string(),
            Some(worst) => {
                format!("{} {}/{}", worst.verdict, self.count(worst.verdict), self.runs.len())
            }
        }
    }

    /// The word for a cell without a verdict: the ending of its first run.
    pub fn state(&self) -> &'static str {
        match self.runs.first().map(|entry| &entry.ending) {
            Some(Ending::Judged { .. }) | None => "",
            Some(Ending::Skipped { .. }) => "skipped",
            Some(Ending::NotCarriedOut { .. }) => "not carried out",
            Some(Ending::Stopped) => "stopped",
        }
    }

    /// The conclusive verdicts: pass or fail.
    pub fn conclusive(&self) -> impl Iterator<Item = &'a Verdict> + '_ {
        self.verdicts().filter(|verdict| verdict.verdict != VerdictKind::Unknown)
    }

    /// The measured times-to-recover of the conclusive runs.
    pub fn sample(&self) -> Sample {
        Sample::new(self.conclusive().filter_map(|verdict| observation(&verdict.measures.time_to_recover)))
    }

    /// The measured times-to-recover, including censored ones. For several repeats only the times of conclusive runs,
    /// because in an inconclusive run the fault may not have affected the client.
    pub fn recoveries(&self) -> impl Iterator<Item = Recovery> + '_ {
        let is_only = self.runs.len() == 1;
        let counts = move |verdict: &&Verdict| is_only || verdict.verdict != VerdictKind::Unknown;
        let all = self.verdicts().filter(counts).map(|verdict| verdict.measures.time_to_recover);
        all.filter(|recovery| !matches!(recovery, Recovery::NotMeasured))
    }
}

/// A time-to-recover as an observation; `None` if it was not measured.
pub(super) fn observation(recovery: &Recovery) -> Option<Observation> {
    match *recovery {
        Recovery::Recovered { after } => Some(Observation::Recovered(after)),
        Recovery::Censored { beyond } => Some(Observation::Censored(beyond)),
        Recovery::NotMeasured => None,
    }
}

impl Report {
    /// The scenario of that name.
    pub fn scenario(&self, name: &str) -> Option<&ScenarioInfo> {
        self.scenarios.iter().find(|scenario| scenario.name == name)
    }

    /// The cells of the report, in the order of its runs.
    pub fn cells(&self) -> Vec<Cell<'_>> {
        let mut cells: Vec<Cell> = Vec::new();
        for entry in &self.runs {
            match cells.last_mut() {
                Some(cell) if (cell.client, cell.scenario) == (&entry.client, &entry.scenario) => cell.runs.push(entry),
                _ => cells.push(Cell { client: &entry.client, scenario: &entry.scenario, runs: vec![entry] }),
            }
        }
        cells
    }
}

#[cfg(all(test, feature = "report"))]
mod tests {
    use std::time::Duration;

    use super::super::samples::{doubtful, judged, report};
    use super::super::{bench, html, markdown, table};
    use super::*;
    use crate::judge::samples::Sample as History;

    /// A repeat with this time-to-recover in milliseconds.
    fn repeat(number: u32, history: &History, after: u64) -> Entry {
        let mut entry = Entry { repeat: number, repeats: 4, ..judged("mine", "stall", history) };
        let Ending::Judged { verdict } = &mut entry.ending else { panic!("{entry:?}") };
        verdict.measures.time_to_recover = Recovery::Recovered { after: Duration::from_millis(after) };
        entry
    }

    #[test]
    fn inconclusive_repeats_count_in_no_format() {
        let (well, doubtful) = (History::healthy(), doubtful());
        let times = [(&well, 100), (&doubtful, 9_000), (&well, 300), (&well, 200)];
        let report =
            report((0..).zip(times).map(|(number, (history, after))| repeat(number, history, after)).collect());
        let expected = "p50 200 ms, p95 300 ms, max 300 ms, n 3";
        let page = html::page(&report, |_| None);
        for text in [table::text(&report), markdown::text(&report), page.clone()] {
            assert!(text.contains(expected) && !text.contains("max 9"), "{text}");
        }
        assert!(page.contains("200 ms / 300 ms / 300 ms"), "{page}");
        let bench = bench::text(&report, 100);
        let row = bench.lines().find(|line| line.contains("mine  ") && line.contains(" ms")).unwrap();
        let words: Vec<_> = row.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
        assert_eq!((words[1], words[words.len() - 2], words[words.len() - 1]), ("200 ms", "300 ms", "3"), "{row}");
        assert_eq!(report.cells()[0].sample().len(), 3);
    }
}
