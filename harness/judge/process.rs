//! *process*: the client survives the fault; under a supervisor, it does not keep exiting.

use std::time::Duration;

use super::facts::Facts;
use super::supervision;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::Ended;
use crate::model::time::show;

pub(super) const SPEC: CheckSpec = CheckSpec { check: Check::Process, black_box: BlackBox::Applies, run: check };

fn check(facts: &Facts) -> CheckResult {
    let Some((at, how)) = &facts.client_ended else { return supervision::check(facts) };
    let when = when(facts, *at);
    let what = match how {
        Ended::Exited { status, stderr } if stderr.is_empty() => format!("the client process exited {when} ({status})"),
        Ended::Exited { status, stderr } => {
            format!("the client process exited {when} ({status}); its stderr ends with: {}", stderr.trim())
        }
        Ended::Panicked { message } => format!("the client panicked {when}: {message}"),
        Ended::Violated { .. } => return CheckResult::not_applicable("the harness ended the client"),
    };
    CheckResult::from_findings(vec![Finding {
        what,
        advice: "report a lost connection as an error of one operation, and keep the process running".into(),
        ops: Vec::new(),
    }])
}

/// An instant relative to the fault, in words.
pub(super) fn when(facts: &Facts, at: Duration) -> String {
    match facts.hit() {
        Some(hit) if at >= hit => format!("{} after the fault", show(at - hit)),
        Some(hit) => format!("{} before the fault", show(hit - at)),
        None => format!("{} into the run, before any fault", show(at)),
    }
}
