//! *recovered*: the client is back within its budget.

use super::advice;
use super::facts::{Facts, is_ok};
use super::format::{name, tally};
use super::recovery::recovered_at;
use super::supervision::away;
use super::verdict::{CheckResult, Finding};
use crate::model::history::Op;
use crate::model::time::show;

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some(starts) = facts.recovery_starts() else {
        return CheckResult::not_applicable(facts.why_no_recovery());
    };
    let budget = facts.header.budget.time_to_recover;
    let what = match recovered_at(facts) {
        Some(at) if at - starts <= budget => return CheckResult::Pass,
        Some(at) => format!("time-to-recover was {}, over the budget of {}", show(at - starts), show(budget)),
        None => not_recovered(facts, starts),
    };
    let failed: Vec<&Op> = facts.answered_since(starts).filter(|op| !is_ok(op)).collect();
    CheckResult::of(vec![Finding { what, advice: advice::to_recover(facts), ops: name(failed) }])
}

fn not_recovered(facts: &Facts, starts: std::time::Duration) -> String {
    let watched = show(facts.end().saturating_sub(starts));
    let after: Vec<&Op> = facts.answered_since(starts).collect();
    let failed: Vec<&Op> = after.iter().copied().filter(|op| !is_ok(op)).collect();
    let mut what = format!(
        "not recovered within {} of {}, watched for {watched}: of {} operations answered since, {} failed",
        show(facts.header.budget.time_to_recover),
        if facts.header.faults.iter().all(|fault| fault.kind.is_instant()) { "the fault" } else { "heal" },
        after.len(),
        failed.len()
    );
    if after.is_empty() && facts.is_watched() {
        what += ": the application asks the server for nothing any more";
    }
    if !failed.is_empty() {
        what += &format!(" ({})", tally(failed.iter().copied()));
    }
    let dead: Vec<_> = (0..facts.workers())
        .filter(|worker| !after.iter().any(|op| op.worker == *worker && is_ok(op)))
        .map(|worker| worker.to_string())
        .collect();
    if !dead.is_empty() && !facts.is_watched() {
        what += &format!("; without any success: worker {}", dead.join(", "));
    }
    if let Some(error) = failed.last().and_then(|op| op.error.as_ref()) {
        what += &format!("; the last error was {error}");
    }
    what + &away(facts)
}
