//! The section of one client in one scenario: verdict, findings, figures and the picture of the run.

use super::super::cell::Cell;
use super::super::model::{Entry, ScenarioInfo};
use super::super::text::{broken, list, recovered, repeat_command};
use super::super::timeline::Timeline;
use super::distribution::order;
use super::figures::{Proof, checks, figures, proofs};
use super::plot::{Drawing, course, strip};
use super::{Placed, alt_text, matrix};
use crate::judge::{Check, Finding, Verdict, VerdictKind};

/// The section of one client in one scenario.
pub(super) struct Section {
    pub anchor: String,
    pub client: String,
    /// The verdict, with the number of repeats that have it.
    pub verdict: String,
    pub class: &'static str,
    /// The time-to-recover.
    pub recovered: String,
    pub doubts: Vec<String>,
    pub findings: Vec<FindingRow>,
    pub figures: Vec<(&'static str, String)>,
    pub checks: Vec<(&'static str, Vec<(String, String)>)>,
    pub proofs: Vec<Proof>,
    /// The repeat that the figures describe; empty if there is one run.
    pub shown: String,
    pub course: Option<Drawing>,
    /// The caption of the picture of the run.
    pub caption: String,
    pub strip: Option<Drawing>,
    /// The repeats that did not pass, if there are several: number, verdict, reason.
    pub others: Vec<(String, &'static str, String)>,
    pub command: String,
    pub folder: String,
}

/// A finding, with its check.
pub(super) struct FindingRow {
    pub check: Check,
    pub what: String,
    pub ops: String,
    pub advice: String,
}

impl Section {
    /// Fills the section; `None` if no run has a verdict.
    pub fn new(
        placed: &Placed,
        scenario: &ScenarioInfo,
        timeline: &impl Fn(&Entry) -> Option<Timeline>,
    ) -> Option<Section> {
        let Placed { cell, anchor } = placed;
        let (entry, verdict) = shown_run(cell)?;
        let name = format!("{} with {}", scenario.title, cell.client);
        let (course, caption) = match timeline(entry) {
            Some(timeline) => {
                let (id, title) = (format!("{anchor}--course"), format!("{name}: the run in time"));
                let (course, caption) = course(id, title, alt_text::course(verdict, &timeline), &timeline);
                (Some(course), caption)
            }
            None => (None, String::new()),
        };
        let times: Vec<_> = cell.recoveries().collect();
        let repeats = cell.verdicts().count();
        Some(Section {
            anchor: anchor.clone(),
            client: cell.client.to_owned(),
            verdict: cell.verdict_in_words(),
            class: matrix::class(verdict),
            recovered: recovered(cell),
            doubts: verdict.doubts.clone(),
            findings: verdict
                .failures()
                .flat_map(|(check, all)| all.iter().map(move |one| finding_row(check, one)))
                .collect(),
            figures: figures(verdict, entry),
            checks: checks(verdict),
            proofs: proofs(verdict),
            shown: if repeats > 1 {
                format!("repeat {} of {}", entry.repeat + 1, entry.repeats)
            } else {
                String::new()
            },
            course,
            caption,
            strip: strip(
                format!("{anchor}--times"),
                format!("{name}: time to recover of all repeats"),
                &times,
                verdict.budget,
            ),
            others: if repeats > 1 { others(cell) } else { Vec::new() },
            command: repeat_command(verdict),
            folder: entry.folder.as_ref().map(|folder| folder.display().to_string()).unwrap_or_default(),
        })
    }

    pub fn is_drawn(&self) -> bool {
        self.course.is_some() || self.strip.is_some()
    }

    /// Why the client did not pass: the first finding, or the first doubt.
    pub fn reason(&self) -> &str {
        let finding = self.findings.first().map(|finding| finding.what.as_str());
        finding.or_else(|| self.doubts.first().map(String::as_str)).unwrap_or_default()
    }
}

/// The run whose figures are shown: of the worst verdicts the one with the slowest recovery, the first of equals.
fn shown_run<'a>(cell: &Cell<'a>) -> Option<(&'a Entry, &'a Verdict)> {
    let runs = cell.runs.iter().filter_map(|entry| Some((*entry, entry.verdict()?)));
    let rank = |verdict: &Verdict| (verdict.verdict, order(&verdict.measures.time_to_recover));
    runs.reduce(|worst, next| if rank(next.1) > rank(worst.1) { next } else { worst })
}

fn finding_row(check: Check, finding: &Finding) -> FindingRow {
    let Finding { what, advice, ops } = finding;
    FindingRow { check, what: what.clone(), ops: list(ops), advice: advice.clone() }
}

fn others(cell: &Cell) -> Vec<(String, &'static str, String)> {
    let runs = cell.runs.iter().filter_map(|entry| Some((*entry, entry.verdict()?)));
    runs.filter(|(_, verdict)| verdict.verdict != VerdictKind::Pass)
        .map(|(entry, verdict)| {
            let why = broken(verdict).next().or_else(|| verdict.doubts.first().cloned()).unwrap_or_default();
            (format!("{} of {}", entry.repeat + 1, entry.repeats), matrix::class(verdict), why)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::sample;
    use super::*;
    use crate::judge::Recovery;

    #[test]
    fn slowest_of_the_worst_repeats_is_shown() {
        let report = sample::repeated(&[
            (VerdictKind::Pass, Recovery::Recovered { after: Duration::from_secs(9) }),
            (VerdictKind::Fail, Recovery::Recovered { after: Duration::from_secs(70) }),
            (VerdictKind::Fail, Recovery::Censored { beyond: Duration::from_secs(60) }),
            (VerdictKind::Unknown, Recovery::NotMeasured),
        ]);
        let cells = report.cells();
        let (entry, verdict) = shown_run(&cells[0]).unwrap();
        assert_eq!((entry.repeat, verdict.verdict), (2, VerdictKind::Fail));
    }
}
