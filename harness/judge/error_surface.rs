//! *error surface*: the caller is told what happened, soon, and with the right hope.

use std::time::Duration;

use super::expected_error::{self, Expected};
use super::facts::{Facts, is_ok};
use super::format::{name, tally};
use super::verdict::{CheckResult, Finding};
use crate::model::history::{ErrorKind, Op, OpError};
use crate::model::sqlstate;
use crate::model::time::show;

/// How much of a client's own words a finding repeats, in characters.
const LONGEST_QUOTE: usize = 120;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some(hit) = facts.hit() else {
        return CheckResult::not_applicable("no fault was injected");
    };
    let until = facts.healed().unwrap_or(facts.end());
    let failed: Vec<&Op> = facts.answered_since(hit).filter(|op| !is_ok(op)).collect();
    if facts.is_persistent() {
        match expected_error::of(facts) {
            Some(expected) => persistent(facts, hit, until, &failed, &expected),
            None => CheckResult::not_applicable("this fault has no code of its own"),
        }
    } else {
        transient(&failed)
    }
}

/// Told by its name, and soon. That a client asks again and again is for *reconnect storm* to say, which allows one
/// attempt a second and worker here: one count of attempts is enough.
fn persistent(facts: &Facts, hit: Duration, until: Duration, failed: &[&Op], expected: &Expected) -> CheckResult {
    let limit = facts.header.budget.fail_fast;
    // An operation that the fault did not keep from succeeding needs no error: its connection was older than the fault.
    let met: Vec<&Op> = facts.ops.iter().copied().filter(|op| is_affected(facts, op, hit, until)).collect();
    let Some(first_met) = met.iter().map(|op| op.began.max(hit)).min() else {
        return CheckResult::not_applicable("no operation was kept from succeeding");
    };
    let during: Vec<&Op> = failed.iter().copied().filter(|op| op.ended.is_some_and(|ended| ended <= until)).collect();
    let told = during.iter().find(|op| op.error.as_ref().is_some_and(|error| expected.is_told_by(error)));
    let Expected { fact, name: expected, .. } = expected;
    let what = match told.and_then(|op| op.ended) {
        Some(at) if at.saturating_sub(first_met) <= limit => return CheckResult::Pass,
        Some(at) => format!("{expected} was reported only after {}", show(at.saturating_sub(first_met))),
        None if during.is_empty() && until.saturating_sub(first_met) < limit => {
            return CheckResult::Unknown {
                reason: format!(
                    "the fault was healed {} after the first operation met it, and a client may take {} to report it",
                    show(until.saturating_sub(first_met)),
                    show(limit)
                ),
            };
        }
        None if during.is_empty() => {
            format!("{fact}, but the {} operations that met it reported no error before it was healed", met.len())
        }
        None => {
            let reported = tally(during.iter().copied());
            let said = during.iter().find_map(|op| op.error.as_ref()).map_or_else(String::new, in_its_words);
            format!("{fact}, but operations reported {reported}{said}")
        }
    };
    CheckResult::of(vec![Finding {
        what: format!(
            "{what}; a persistent fault must be reported as what it is, here {expected}, within {}",
            show(limit)
        ),
        advice: "pass the server's SQLSTATE, or the system's own error, to the caller, and do not retry what cannot \
                 succeed"
            .into(),
        ops: name(if during.is_empty() { met } else { during }),
    }])
}

/// What the client itself said, as far as it fits.
fn in_its_words(error: &OpError) -> String {
    let line = error.message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let words: String = line.chars().take(LONGEST_QUOTE).collect();
    let cut = if words.len() < line.len() { "…" } else { "" };
    if words.is_empty() { words } else { format!(" (the first: {words:?}{cut})") }
}

/// Whether the fault kept it from succeeding in time: it failed under the fault, or was open through it for longer than
/// an operation should be.
fn is_affected(facts: &Facts, op: &Op, hit: Duration, until: Duration) -> bool {
    match op.ended {
        Some(ended) if ended < hit => false,
        Some(ended) if ended <= until => !is_ok(op),
        _ => until.saturating_sub(op.began.max(hit)) > facts.header.budget.stall_threshold,
    }
}

fn transient(failed: &[&Op]) -> CheckResult {
    let opinions = failed.iter().filter(|op| op.error.as_ref().is_some_and(|error| error.retryable.is_some())).count();
    if opinions == 0 {
        return CheckResult::not_applicable("no error said whether it was worth another try");
    }
    let wrong: Vec<&Op> =
        failed.iter().copied().filter(|op| op.error.as_ref().is_some_and(calls_transient_final)).collect();
    if wrong.is_empty() {
        return CheckResult::Pass;
    }
    CheckResult::of(vec![Finding {
        what: format!(
            "{} errors that pass by themselves were called final: {}",
            wrong.len(),
            tally(wrong.iter().copied())
        ),
        advice: "report a lost or refused connection as worth another try".into(),
        ops: name(wrong),
    }])
}

fn calls_transient_final(error: &OpError) -> bool {
    let passes = match &error.sqlstate {
        Some(code) => sqlstate::is_transient(code),
        None => matches!(error.kind, ErrorKind::Refused | ErrorKind::Reset | ErrorKind::Closed | ErrorKind::Timeout),
    };
    passes && error.retryable == Some(false)
}
