//! *recovered*: the client recovers within its budget.

use super::advice;
use super::facts::{Facts, is_ok};
use super::format::{name, tally};
use super::recovery::recovered_at;
use super::supervision::away;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::Op;
use crate::model::time::show;

pub(super) const SPEC: CheckSpec = CheckSpec { check: Check::Recovered, black_box: BlackBox::Applies, run: check };

fn check(facts: &Facts) -> CheckResult {
    let Some(starts) = facts.recovery_starts() else {
        return CheckResult::not_applicable(facts.why_no_recovery());
    };
    let budget = facts.header.budget.time_to_recover;
    let what = match recovered_at(facts) {
        Some(at) if at - starts <= budget => return CheckResult::Pass,
        Some(at) => format!("the client took {} to recover, over the budget of {}", show(at - starts), show(budget)),
        None => not_recovered(facts, starts),
    };
    let failed: Vec<&Op> = facts.answered_since(starts).filter(|op| !is_ok(op)).collect();
    CheckResult::from_findings(vec![Finding { what, advice: advice::to_recover(facts), ops: name(failed) }])
}

fn not_recovered(facts: &Facts, starts: std::time::Duration) -> String {
    let observed = show(facts.end().saturating_sub(starts));
    let after: Vec<&Op> = facts.answered_since(starts).collect();
    let failed: Vec<&Op> = after.iter().copied().filter(|op| !is_ok(op)).collect();
    let mut what = format!(
        "not recovered within {} of {} (observed for {observed}): {}",
        show(facts.header.budget.time_to_recover),
        if facts.header.faults.iter().all(|fault| fault.kind.is_instant()) { "the fault" } else { "heal" },
        match (after.is_empty(), facts.is_black_box()) {
            (true, true) => "the application sent no further statement".to_owned(),
            (true, false) => "no operation was answered since".to_owned(),
            (false, _) => format!("{} of {} operations answered since failed", failed.len(), after.len()),
        }
    );
    if !failed.is_empty() {
        what += &format!(" ({})", tally(failed.iter().copied()));
    }
    let dead: Vec<_> = (0..facts.workers())
        .filter(|worker| !after.iter().any(|op| op.worker == *worker && is_ok(op)))
        .map(|worker| worker.to_string())
        .collect();
    if !dead.is_empty() && !facts.is_black_box() {
        what += &format!("; no success on worker {}", dead.join(", "));
    }
    if let Some(error) = failed.last().and_then(|op| op.error.as_ref()) {
        what += &format!("; last error: {error}");
    }
    what + &away(facts)
}
