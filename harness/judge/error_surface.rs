//! *error surface*: the client reports the error that the fault causes, in time, and marks no transient error as final.
//!
//! The check is unknown if a persistent fault was healed before the time in which a client must report it, and no
//! operation had failed until then.

use std::time::Duration;

use super::expected_error::{self, Expected};
use super::facts::{Facts, is_ok};
use super::format::{name, tally};
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::{ErrorKind, Op, OpError};
use crate::model::sqlstate;
use crate::model::time::show;

/// Longest quote of a client's error message in a finding, in characters.
const LONGEST_QUOTE: usize = 120;

pub(super) const SPEC: CheckSpec = CheckSpec {
    check: Check::ErrorSurface,
    black_box: BlackBox::NotSeen("the errors that the application reports to its users are not observed"),
    run: check,
};

fn check(facts: &Facts) -> CheckResult {
    let Some(hit) = facts.hit() else {
        return CheckResult::not_applicable("no fault was injected");
    };
    let until = facts.healed().unwrap_or(facts.end());
    let failed: Vec<&Op> = facts.answered_since(hit).filter(|op| !is_ok(op)).collect();
    if facts.is_persistent() {
        match expected_error::of(facts) {
            Some(expected) => persistent(facts, hit, until, &failed, &expected),
            None => CheckResult::not_applicable("this fault has no error of its own"),
        }
    } else {
        transient(&failed)
    }
}

/// Requires the expected error within `fail_fast` of the first affected operation. Only *reconnect storm* counts
/// repeated attempts: under a persistent fault it allows one attempt per second and worker.
fn persistent(facts: &Facts, hit: Duration, until: Duration, failed: &[&Op], expected: &Expected) -> CheckResult {
    let limit = facts.header.budget.fail_fast;
    // An operation that succeeded in time needs no error: its connection was older than the fault.
    let met: Vec<&Op> = facts.ops.iter().copied().filter(|op| is_affected(facts, op, hit, until)).collect();
    let Some(first_met) = met.iter().map(|op| op.began.max(hit)).min() else {
        return CheckResult::not_applicable("the fault affected no operation");
    };
    let during: Vec<&Op> = failed.iter().copied().filter(|op| op.ended.is_some_and(|ended| ended <= until)).collect();
    let reported = during.iter().find(|op| op.error.as_ref().is_some_and(|error| expected.matches_error(error)));
    let Expected { fact, name: expected, .. } = expected;
    let what = match reported.and_then(|op| op.ended) {
        Some(at) if at.saturating_sub(first_met) <= limit => return CheckResult::Pass,
        Some(at) => format!("the client reported {expected} only after {}", show(at.saturating_sub(first_met))),
        None if during.is_empty() && until.saturating_sub(first_met) < limit => {
            return CheckResult::Unknown {
                reason: format!(
                    "the fault was healed {} after it affected the first operation, and a client may take {} to report it",
                    show(until.saturating_sub(first_met)),
                    show(limit)
                ),
            };
        }
        None if during.is_empty() => {
            format!("{fact}, but the {} affected operations reported no error before the fault was healed", met.len())
        }
        None => {
            let reported = tally(during.iter().copied());
            let quote = during.iter().find_map(|op| op.error.as_ref()).map_or_else(String::new, quote_message);
            format!("{fact}, but the client reported {reported}{quote}")
        }
    };
    CheckResult::from_findings(vec![Finding {
        what: format!(
            "{what}; under a persistent fault the client should report its cause, here {expected}, within {}",
            show(limit)
        ),
        advice:
            "pass the server's SQLSTATE, or the operating system's error, to the caller, and do not retry an attempt \
                 that cannot succeed"
                .into(),
        ops: name(if during.is_empty() { met } else { during }),
    }])
}

/// The first line of an error's message, cut to [`LONGEST_QUOTE`].
fn quote_message(error: &OpError) -> String {
    let line = error.message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let words: String = line.chars().take(LONGEST_QUOTE).collect();
    let cut = if words.len() < line.len() { "…" } else { "" };
    if words.is_empty() { words } else { format!(" (first message: {words:?}{cut})") }
}

/// Whether the operation failed under the fault, or was open under it for longer than the stall threshold.
fn is_affected(facts: &Facts, op: &Op, hit: Duration, until: Duration) -> bool {
    match op.ended {
        Some(ended) if ended < hit => false,
        Some(ended) if ended <= until => !is_ok(op),
        _ => until.saturating_sub(op.began.max(hit)) > facts.header.budget.stall_threshold,
    }
}

fn transient(failed: &[&Op]) -> CheckResult {
    let flagged = failed.iter().filter(|op| op.error.as_ref().is_some_and(|error| error.retryable.is_some())).count();
    if flagged == 0 {
        return CheckResult::not_applicable("no error carried a retryable flag");
    }
    let wrong: Vec<&Op> =
        failed.iter().copied().filter(|op| op.error.as_ref().is_some_and(is_transient_marked_final)).collect();
    if wrong.is_empty() {
        return CheckResult::Pass;
    }
    CheckResult::from_findings(vec![Finding {
        what: format!(
            "the client reported {} transient errors as not retryable: {}",
            wrong.len(),
            tally(wrong.iter().copied())
        ),
        advice: "mark a lost or refused connection as retryable".into(),
        ops: name(wrong),
    }])
}

fn is_transient_marked_final(error: &OpError) -> bool {
    let is_transient = match &error.sqlstate {
        Some(code) => sqlstate::is_transient(code),
        None => matches!(error.kind, ErrorKind::Refused | ErrorKind::Reset | ErrorKind::Closed | ErrorKind::Timeout),
    };
    is_transient && error.retryable == Some(false)
}
