//! One client in one scenario: verdict, findings, figures, and its course in time.

use super::super::cell::Cell;
use super::super::model::{Asked, Entry};
use super::super::text::{broken, list, recovered, repeat_command};
use super::super::timeline::Timeline;
use super::distribution::order;
use super::figures::{Proof, checks, figures, proofs};
use super::plot::{Drawing, course, strip};
use super::{Placed, alt_text, matrix};
use crate::judge::{Check, Finding, Verdict, VerdictKind};

/// What is told of one client in one scenario.
pub(super) struct Section {
    pub anchor: String,
    pub client: String,
    /// The verdict, and of how many repeats.
    pub verdict: String,
    pub class: &'static str,
    /// In how much time it recovered.
    pub recovered: String,
    pub doubts: Vec<String>,
    pub findings: Vec<Found>,
    pub figures: Vec<(&'static str, String)>,
    pub checks: Vec<(&'static str, Vec<(String, String)>)>,
    pub proofs: Vec<Proof>,
    /// Which of the repeats the figures are of; empty where there is one run.
    pub told: String,
    pub course: Option<Drawing>,
    /// What has to be said of the drawing.
    pub said: String,
    pub strip: Option<Drawing>,
    /// The repeats that did not pass, where there are several: which, its verdict, why.
    pub others: Vec<(String, &'static str, String)>,
    pub command: String,
    pub folder: String,
}

/// A finding, with its check.
pub(super) struct Found {
    pub check: Check,
    pub what: String,
    pub ops: String,
    pub advice: String,
}

impl Section {
    /// `None` where no run has a verdict.
    pub fn of(placed: &Placed, asked: &Asked, timeline: &impl Fn(&Entry) -> Option<Timeline>) -> Option<Section> {
        let Placed { cell, anchor } = placed;
        let (entry, verdict) = speaker(cell)?;
        let name = format!("{} with {}", asked.title, cell.client);
        let (course, said) = match timeline(entry) {
            Some(timeline) => {
                let (id, title) = (format!("{anchor}--course"), format!("{name}: the run in time"));
                let (course, said) = course(id, title, alt_text::course(verdict, &timeline), &timeline);
                (Some(course), said)
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
                .flat_map(|(check, all)| all.iter().map(move |one| found(check, one)))
                .collect(),
            figures: figures(verdict, entry),
            checks: checks(verdict),
            proofs: proofs(verdict),
            told: if repeats > 1 { format!("repeat {} of {}", entry.repeat + 1, entry.repeats) } else { String::new() },
            course,
            said,
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

    /// Why it did not pass, in one sentence.
    pub fn reason(&self) -> &str {
        let finding = self.findings.first().map(|finding| finding.what.as_str());
        finding.or_else(|| self.doubts.first().map(String::as_str)).unwrap_or_default()
    }
}

/// The run that speaks for all: among the worst verdicts that of the slowest recovery, and the first of those.
fn speaker<'a>(cell: &Cell<'a>) -> Option<(&'a Entry, &'a Verdict)> {
    let runs = cell.runs.iter().filter_map(|entry| Some((*entry, entry.verdict()?)));
    let rank = |verdict: &Verdict| (verdict.verdict, order(&verdict.measures.time_to_recover));
    runs.reduce(|worst, next| if rank(next.1) > rank(worst.1) { next } else { worst })
}

fn found(check: Check, finding: &Finding) -> Found {
    let Finding { what, advice, ops } = finding;
    Found { check, what: what.clone(), ops: list(ops), advice: advice.clone() }
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
    fn the_slowest_of_the_worst_speaks_for_all() {
        let report = sample::repeated(&[
            (VerdictKind::Pass, Recovery::Recovered { after: Duration::from_secs(9) }),
            (VerdictKind::Fail, Recovery::Recovered { after: Duration::from_secs(70) }),
            (VerdictKind::Fail, Recovery::Censored { beyond: Duration::from_secs(60) }),
            (VerdictKind::Unknown, Recovery::NotMeasured),
        ]);
        let cells = report.cells();
        let (entry, verdict) = speaker(&cells[0]).unwrap();
        assert_eq!((entry.repeat, verdict.verdict), (2, VerdictKind::Fail));
    }
}
