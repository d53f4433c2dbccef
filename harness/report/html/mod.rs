//! The report as one self-contained HTML page: no script, no font and no picture from outside.
//!
//! `page` is the entry point. Each part of the page has a file, which selects its content and writes its texts, and a
//! template, which lays it out; `plot` draws. All foreign text is escaped by `escape`. Names and formats of figures
//! come from [`text`](super::text), so that all formats agree.

mod alt_text;
mod anchor;
mod changes;
mod distribution;
mod escape;
mod figures;
mod head;
mod matrix;
mod omitted;
mod plot;
mod section;
#[cfg(test)]
mod tests;

use askama::Template;

use self::anchor::{Anchors, word};
use self::changes::Changes;
use self::head::Head;
use self::matrix::Matrix;
use self::omitted::Omitted;
use self::plot::{Drawing, curve};
use self::section::Section;
use super::cell::Cell;
use super::format::Format;
use super::model::{Entry, Report, ScenarioInfo};
use super::timeline::Timeline;
use crate::scenario::cause_of;

pub(super) const FORMAT: Format = Format {
    name: "html",
    file: Some("report.html"),
    reads_histories: true,
    write: |report, timelines| page(report, timelines),
};

/// Writes the page. `timeline` returns the timeline of a run, or `None` if its history was not kept.
pub fn page(report: &Report, timeline: impl Fn(&Entry) -> Option<Timeline>) -> String {
    let mut anchors = Anchors::default();
    let scenarios: Vec<_> =
        report.scenarios.iter().map(|scenario| (scenario, anchors.scenario(&scenario.name))).collect();
    let cells = report.cells().into_iter();
    let cells: Vec<_> = cells.map(|cell| Placed { anchor: anchors.run(cell.scenario, cell.client), cell }).collect();
    let page = Page {
        head: Head::from_report(report),
        changes: report.comparison.as_ref().map(|comparison| Changes::new(comparison, &cells)),
        matrix: Matrix::new(report, &scenarios, &cells),
        groups: groups(&scenarios, &cells, &timeline),
        omitted: Omitted::from_report(report),
        style: include_str!("style.css"),
    };
    // Rendering fails only if writing does, and writing to a String cannot fail.
    page.render().unwrap_or_default()
}

/// One client in one scenario, and its anchor on the page.
struct Placed<'a> {
    cell: Cell<'a>,
    anchor: String,
}

#[derive(Template)]
#[template(config = "harness/report/html/askama.toml", path = "page.html")]
struct Page<'a> {
    head: Head,
    changes: Option<Changes>,
    matrix: Matrix,
    groups: Vec<Group<'a>>,
    omitted: Vec<Omitted>,
    style: &'static str,
}

impl Page<'_> {
    /// The sections that did not pass, in the order of the page.
    fn not_passed(&self) -> Vec<(&ScenarioInfo, &Section)> {
        let questions = self.groups.iter().flat_map(|group| &group.questions);
        let sections =
            questions.flat_map(|question| question.sections.iter().map(|section| (question.scenario, section)));
        sections.filter(|(_, section)| section.class != "pass").collect()
    }

    fn legend(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        &plot::LEGEND
    }

    fn has_pictures(&self) -> bool {
        self.groups
            .iter()
            .flat_map(|group| &group.questions)
            .flat_map(|question| &question.sections)
            .any(Section::is_drawn)
    }
}

/// The scenarios of one documented cause.
struct Group<'a> {
    anchor: String,
    title: String,
    questions: Vec<Question<'a>>,
}

/// One scenario, with a section for each client that has a verdict.
struct Question<'a> {
    anchor: String,
    scenario: &'a ScenarioInfo,
    /// The first paragraph of the scenario's head comment.
    gist: &'a str,
    /// The other paragraphs.
    more: Vec<&'a str>,
    /// Share of the repeats that had recovered, over time; only if there are repeats.
    curve: Option<Drawing>,
    sections: Vec<Section>,
}

fn groups<'a>(
    scenarios: &[(&'a ScenarioInfo, String)],
    cells: &[Placed],
    timeline: &impl Fn(&Entry) -> Option<Timeline>,
) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for (scenario, anchor) in scenarios {
        let cells: Vec<_> = cells.iter().filter(|placed| placed.cell.scenario == scenario.name).collect();
        let sections: Vec<_> = cells.iter().filter_map(|placed| Section::new(placed, scenario, timeline)).collect();
        if sections.is_empty() {
            continue;
        }
        let mut paragraphs = scenario.why.split("\n\n");
        let question = Question {
            anchor: anchor.clone(),
            scenario,
            gist: paragraphs.next().unwrap_or_default(),
            more: paragraphs.collect(),
            curve: recoveries(scenario, anchor, cells),
            sections,
        };
        let anchor = format!("cause-{}", word(&scenario.group));
        match groups.iter_mut().find(|group| group.anchor == anchor) {
            Some(group) => group.questions.push(question),
            None => groups.push(Group { anchor, title: cause(&scenario.group), questions: vec![question] }),
        }
    }
    groups
}

/// The recovery times of all clients in one scenario, in one picture.
fn recoveries(scenario: &ScenarioInfo, anchor: &str, cells: Vec<&Placed>) -> Option<Drawing> {
    let budget = cells.iter().find_map(|placed| placed.cell.worst())?.budget;
    let samples = cells.into_iter().map(|Placed { cell, .. }| {
        let times: Vec<_> = cell.recoveries().collect();
        (cell.client.to_owned(), distribution::sample(&times))
    });
    let samples: Vec<_> = samples.filter(|(_, sample)| sample.len() > 1).collect();
    let title = format!("{}: share of the repeats that had recovered, over time", scenario.title);
    curve(format!("{anchor}--curve"), title, &samples, budget)
}

/// The documented cause of a group of scenarios.
fn cause(group: &str) -> String {
    match (cause_of(group), group) {
        (Some(cause), _) => cause.to_owned(),
        (None, "file") => "Your own scenarios".to_owned(),
        (None, other) => other.to_owned(),
    }
}
