//! *connection leak*: once all is quiet, the client holds what it held before, and no open transaction.

use super::facts::Facts;
use super::verdict::{CheckResult, Finding};

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some(settled) = facts.settled else {
        return CheckResult::not_applicable("sessions were not counted");
    };
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
