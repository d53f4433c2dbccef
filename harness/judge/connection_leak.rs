//! *connection leak*: once all is quiet, the client holds what it held before, and no open transaction.

use super::facts::Facts;
use super::verdict::{CheckResult, Finding};
use crate::model::history::Sessions;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some(settled) = facts.settled else {
        return CheckResult::not_applicable("sessions were not counted");
    };
    if facts.is_watched() {
        return of_application(facts, settled);
    }
    let slots = facts.slots();
    // A pool may grow up to its size at any time; that is no leak.
    let allowed = facts.steady.map_or(0, |steady| steady.open).max(slots);
    let mut findings = Vec::new();
    if settled.open > allowed {
        findings.push(Finding {
            what: format!(
                "{} sessions are open after the workload, of which {} are too many: it held {} in steady state, and its \
                 pool has {slots} slots",
                settled.open,
                settled.open - allowed,
                facts.steady.map_or_else(|| "an unknown number".into(), |steady| steady.open.to_string()),
            ),
            advice: "close the old connection before it is replaced, also when opening its successor fails".into(),
            ops: Vec::new(),
        });
    }
    // Of connections that never came as far as a session, the server knows nothing.
    let held = facts.settled_held.unwrap_or(0);
    if settled.open <= allowed && held > allowed {
        findings.push(Finding {
            what: format!(
                "{held} connections are open after the workload, {} of them without a session: {} are too many for a \
                 pool of {slots} slots",
                held.saturating_sub(settled.open),
                held - allowed
            ),
            advice: "close the socket when a sign-in fails or takes too long".into(),
            ops: Vec::new(),
        });
    }
    if settled.idle_in_transaction > 0 {
        findings.push(Finding {
            what: format!("{} sessions are left idle in a transaction after the workload", settled.idle_in_transaction),
            advice: "roll back, or close the connection, before it goes back to the pool".into(),
            ops: Vec::new(),
        });
    }
    CheckResult::of(findings)
}

/// How many connections an application may have is not known; what was in a transaction and is left there is.
fn of_application(facts: &Facts, settled: Sessions) -> CheckResult {
    let steady = facts.steady.map_or(0, |steady| steady.idle_in_transaction);
    if settled.idle_in_transaction > steady {
        return CheckResult::of(vec![Finding {
            what: format!(
                "{} sessions have been idle in a transaction for more than a second at the end, {steady} in steady state",
                settled.idle_in_transaction
            ),
            advice: "roll back, or close the connection, before it goes back to the pool".into(),
            ops: Vec::new(),
        }]);
    }
    match facts.steady {
        Some(before) if settled.open <= before.open => CheckResult::Pass,
        Some(before) => CheckResult::NotApplicable {
            reason: format!(
                "{} sessions are open at the end, {} were in steady state: whether its pool may have so many is not known",
                settled.open, before.open
            ),
        },
        None => CheckResult::not_applicable("sessions were not counted in steady state"),
    }
}
