//! The alternative text of a run's picture, for readers who cannot see it.

use std::time::Duration;

use super::super::text::recovery;
use super::super::timeline::{Timeline, Window};
use crate::judge::{Recovery, Verdict};
use crate::model::history::Outcome;
use crate::model::time::show;

/// Number of faults that are described one by one.
const DESCRIBED_FAULTS: usize = 4;

/// Describes the picture of a run. Instants count from the first injection, like the picture's axis.
pub(super) fn course(verdict: &Verdict, timeline: &Timeline) -> String {
    let mut sentences: Vec<String> =
        timeline.faults.iter().take(DESCRIBED_FAULTS).map(|window| fault(window, timeline)).collect();
    if timeline.faults.len() > DESCRIBED_FAULTS {
        sentences.push(format!("{} more faults followed.", timeline.faults.len() - DESCRIBED_FAULTS));
    }
    sentences.push(operations(timeline));
    sentences.push(outcome(verdict));
    sentences.push(match timeline.connections.len() {
        1 => "One connection was opened.".to_owned(),
        count => format!("{count} connections were opened."),
    });
    sentences.join(" ")
}

fn fault(window: &Window, timeline: &Timeline) -> String {
    let origin = timeline.marks.hit.unwrap_or_default();
    let at = |instant: Duration| show(instant.saturating_sub(origin));
    let what = &window.what;
    match (window.begin(), window.healed) {
        (None, _) => format!("The fault {what} was never injected."),
        (Some(from), _) if window.is_instant => format!("The fault {what} was injected at {}.", at(from)),
        (Some(from), Some(to)) => format!("The fault {what} was in force from {} to {}.", at(from), at(to)),
        (Some(from), None) => format!("The fault {what} was in force from {} to the end.", at(from)),
    }
}

fn operations(timeline: &Timeline) -> String {
    let count = |outcome| timeline.ops.iter().filter(|op| op.outcome == outcome).map(|op| op.count).sum::<u64>();
    let [ok, fail, info] = [Outcome::Ok, Outcome::Fail, Outcome::Info].map(count);
    let all = ok + fail + info;
    if all == ok {
        return format!("All {all} operations succeeded.");
    }
    let ends = timeline.ops.iter().filter(|op| op.outcome != Outcome::Ok).filter_map(|op| op.to);
    let first = match (ends.min(), timeline.marks.hit) {
        (Some(end), Some(hit)) if end >= hit => format!(", the first after {}", show(end - hit)),
        _ => String::new(),
    };
    format!("Of {all} operations {fail} failed and {info} are indeterminate{first}.")
}

fn outcome(verdict: &Verdict) -> String {
    let measures = &verdict.measures;
    let success = match measures.time_to_first_success {
        Some(after) => format!("had its first success after {}", show(after)),
        None => "had no further success".to_owned(),
    };
    match measures.time_to_recover {
        Recovery::NotMeasured => "Recovery was not timed.".to_owned(),
        Recovery::Censored { beyond } => format!("The client {success} and had not recovered after {}.", show(beyond)),
        recovered => format!("The client {success} and recovered after {}.", recovery(&recovered)),
    }
}
