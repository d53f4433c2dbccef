//! *process*: the client lives on; under a supervisor, the process that it was restarted in.

use std::time::Duration;

use super::facts::Facts;
use super::supervision;
use super::verdict::{CheckResult, Finding};
use crate::model::history::Ended;
use crate::model::time::show;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some((at, how)) = &facts.client_ended else { return supervision::check(facts) };
    let what = match how {
        Ended::Exited { status, stderr } if stderr.is_empty() => format!("the client process ended ({status})"),
        Ended::Exited { status, stderr } => {
            format!("the client process ended ({status}); its stderr ends with: {}", stderr.trim())
        }
        Ended::Panicked { message } => format!("the client panicked: {message}"),
        Ended::Violated { .. } => return CheckResult::not_applicable("the harness ended it"),
    };
    let when = when(facts, *at);
    CheckResult::of(vec![Finding {
        what: format!("{what} {when}"),
        advice: "treat a lost connection as an error of one operation, not of the program".into(),
        ops: Vec::new(),
    }])
}

/// An instant, by its distance from the fault.
pub(super) fn when(facts: &Facts, at: Duration) -> String {
    match facts.hit() {
        Some(hit) if at >= hit => format!("{} after the fault", show(at - hit)),
        Some(hit) => format!("{} before the fault", show(hit - at)),
        None => format!("{} into the run, before any fault", show(at)),
    }
}
