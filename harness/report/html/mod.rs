//! The report as one HTML page that needs nothing else: no script, no font, no picture from outside.
//!
//! `page` is the front door. Each part of the page is a file that chooses and words what it shows, and a template that lays
//! it out; `plot` draws. Whatever is shown of foreign texts goes through `escape`. What a figure is called and how it is
//! written is [`text`](super::text)'s, so that all formats say the same.

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
use super::model::{Asked, Entry, Report};
use super::timeline::Timeline;
use crate::scenario::cause_of;

/// The page, self-contained. `timeline` gives what is known of a run in time; `None`: nothing was kept of it.
pub fn page(report: &Report, timeline: impl Fn(&Entry) -> Option<Timeline>) -> String {
    let mut anchors = Anchors::default();
    let scenarios: Vec<_> = report.scenarios.iter().map(|asked| (asked, anchors.scenario(&asked.name))).collect();
    let cells = report.cells().into_iter();
    let cells: Vec<_> = cells.map(|cell| Placed { anchor: anchors.run(cell.scenario, cell.client), cell }).collect();
    let page = Page {
        head: Head::of(report),
        changes: report.comparison.as_ref().map(|comparison| Changes::of(comparison, &cells)),
        matrix: Matrix::of(report, &scenarios, &cells),
        groups: groups(&scenarios, &cells, &timeline),
        omitted: Omitted::of(report),
        style: include_str!("style.css"),
    };
    // Only writing can fail, and writing to a String cannot.
    page.render().unwrap_or_default()
}

/// One client in one scenario, and its place on the page.
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
    /// Everything that did not pass, in the order of the page.
    fn not_passed(&self) -> Vec<(&Asked, &Section)> {
        let questions = self.groups.iter().flat_map(|group| &group.questions);
        let sections = questions.flat_map(|question| question.sections.iter().map(|section| (question.asked, section)));
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

/// One scenario, and what it came to with each client that has a verdict.
struct Question<'a> {
    anchor: String,
    asked: &'a Asked,
    /// The first paragraph of what it asks and why…
    gist: &'a str,
    /// …and the others.
    more: Vec<&'a str>,
    /// How many of the repeats had recovered after how long; where there are repeats.
    curve: Option<Drawing>,
    sections: Vec<Section>,
}

fn groups<'a>(
    scenarios: &[(&'a Asked, String)],
    cells: &[Placed],
    timeline: &impl Fn(&Entry) -> Option<Timeline>,
) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for (asked, anchor) in scenarios {
        let cells: Vec<_> = cells.iter().filter(|placed| placed.cell.scenario == asked.name).collect();
        let sections: Vec<_> = cells.iter().filter_map(|placed| Section::of(placed, asked, timeline)).collect();
        if sections.is_empty() {
            continue;
        }
        let mut paragraphs = asked.why.split("\n\n");
        let question = Question {
            anchor: anchor.clone(),
            asked,
            gist: paragraphs.next().unwrap_or_default(),
            more: paragraphs.collect(),
            curve: recoveries(asked, anchor, cells),
            sections,
        };
        let anchor = format!("cause-{}", word(&asked.group));
        match groups.iter_mut().find(|group| group.anchor == anchor) {
            Some(group) => group.questions.push(question),
            None => groups.push(Group { anchor, title: cause(&asked.group), questions: vec![question] }),
        }
    }
    groups
}

/// The times of all clients in one scenario, in one picture.
fn recoveries(asked: &Asked, anchor: &str, cells: Vec<&Placed>) -> Option<Drawing> {
    let budget = cells.iter().find_map(|placed| placed.cell.worst())?.budget;
    let samples = cells.into_iter().map(|Placed { cell, .. }| {
        let times: Vec<_> = cell.recoveries().collect();
        (cell.client.to_owned(), distribution::sample(&times))
    });
    let samples: Vec<_> = samples.filter(|(_, sample)| sample.len() > 1).collect();
    let title = format!("{}: how many of the repeats had recovered after how long", asked.title);
    curve(format!("{anchor}--curve"), title, &samples, budget)
}

/// What a group of scenarios is about.
fn cause(group: &str) -> String {
    match (cause_of(group), group) {
        (Some(cause), _) => cause.to_owned(),
        (None, "file") => "Scenarios of your own".to_owned(),
        (None, other) => other.to_owned(),
    }
}
