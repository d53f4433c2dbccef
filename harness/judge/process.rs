//! *process*: the client lives on.

use super::facts::Facts;
use super::verdict::{CheckResult, Finding};
use crate::history::Ended;
use crate::time::show;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some((at, how)) = &facts.client_ended else { return CheckResult::Pass };
    let what = match how {
        Ended::Exited { status, stderr } if stderr.is_empty() => format!("the client process ended ({status})"),
        Ended::Exited { status, stderr } => {
            format!("the client process ended ({status}); its stderr ends with: {}", stderr.trim())
        }
        Ended::Panicked { message } => format!("the client panicked: {message}"),
        Ended::Violated { .. } => return CheckResult::not_applicable("the harness ended it"),
    };
    let when = match facts.hit() {
        Some(hit) if *at >= hit => format!("{} after the fault", show(*at - hit)),
        Some(hit) => format!("{} before the fault", show(hit - *at)),
        None => format!("{} into the run, before any fault", show(*at)),
    };
    CheckResult::of(vec![Finding {
        what: format!("{what} {when}"),
        advice: "treat a lost connection as an error of one operation, not of the program".into(),
        ops: Vec::new(),
    }])
}
