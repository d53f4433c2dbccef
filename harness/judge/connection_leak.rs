//! *connection leak*: after the workload the client holds no more connections than in steady state or than its pool
//! has slots, and no session is idle in a transaction.

use super::facts::Facts;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::Sessions;

pub(super) const SPEC: CheckSpec = CheckSpec { check: Check::ConnectionLeak, black_box: BlackBox::Applies, run: check };

fn check(facts: &Facts) -> CheckResult {
    let Some(settled) = facts.settled else {
        return CheckResult::not_applicable("sessions were not counted");
    };
    if facts.is_black_box() {
        return check_application(facts, settled);
    }
    let slots = facts.slots();
    // A pool may grow to its size at any time without a leak.
    let allowed = facts.steady.map_or(0, |steady| steady.open).max(slots);
    let mut findings = Vec::new();
    if settled.open > allowed {
        findings.push(Finding {
            what: format!(
                "{} sessions are open after the workload, {} too many: the client held {} in steady state, and its pool \
                 has {slots} slots",
                settled.open,
                settled.open - allowed,
                facts.steady.map_or_else(|| "an unknown number".into(), |steady| steady.open.to_string()),
            ),
            advice: "close a connection before replacing it, even if opening the new one fails".into(),
            ops: Vec::new(),
        });
    }
    // The server does not count connections that never became a session; the gateway does.
    let held = facts.settled_held.unwrap_or(0);
    if settled.open <= allowed && held > allowed {
        findings.push(Finding {
            what: format!(
                "{held} connections are open after the workload, {} of them without a session: {} too many for a pool of \
                 {slots} slots",
                held.saturating_sub(settled.open),
                held - allowed
            ),
            advice: "close the socket if authentication fails or times out".into(),
            ops: Vec::new(),
        });
    }
    if settled.idle_in_transaction > 0 {
        findings.push(Finding {
            what: format!(
                "{} sessions are idle in transaction after the workload; none should be",
                settled.idle_in_transaction
            ),
            advice: "roll back or close a connection before returning it to the pool".into(),
            ops: Vec::new(),
        });
    }
    CheckResult::from_findings(findings)
}

/// The pool size of a black-box application is unknown, but sessions idle in transaction are a leak.
fn check_application(facts: &Facts, settled: Sessions) -> CheckResult {
    let steady = facts.steady.map_or(0, |steady| steady.idle_in_transaction);
    if settled.idle_in_transaction > steady {
        return CheckResult::from_findings(vec![Finding {
            what: format!(
                "{} sessions are idle in transaction for more than a second at the end; {steady} were in steady state",
                settled.idle_in_transaction
            ),
            advice: "roll back or close a connection before returning it to the pool".into(),
            ops: Vec::new(),
        }]);
    }
    match facts.steady {
        Some(before) if settled.open <= before.open => CheckResult::Pass,
        Some(before) => CheckResult::NotApplicable {
            reason: format!(
                "{} sessions are open at the end and {} were in steady state, but the size of the application's pool is unknown",
                settled.open, before.open
            ),
        },
        None => CheckResult::not_applicable("sessions were not counted in steady state"),
    }
}
