//! *undisturbed*: what the fault leaves possible does not fail.

use std::time::Duration;

use super::facts::{Facts, is_ok};
use super::format::{name, tally};
use super::verdict::{CheckResult, Finding};
use crate::model::history::Op;
use crate::model::time::show;

pub(super) fn check(facts: &Facts) -> CheckResult {
    if !facts.header.budget.undisturbed {
        return CheckResult::not_applicable("operations may fail under this fault");
    }
    let Some(hit) = facts.hit() else {
        return CheckResult::not_applicable("no fault was injected");
    };
    // A later fault may make operations impossible; then the question is what became of them until it came.
    let interrupting = facts.faults.iter().filter(|times| !times.fault.kind.leaves_possible());
    let until = interrupting.filter_map(|times| times.injecting).filter(|at| *at > hit).min().unwrap_or(Duration::MAX);
    let meanwhile = |op: &&Op| op.ended.map_or(until == Duration::MAX, |ended| (hit..until).contains(&ended));
    let touched: Vec<&Op> = facts.ops.iter().copied().filter(meanwhile).collect();
    let failed: Vec<&Op> = touched.iter().copied().filter(|op| op.ended.is_some() && !is_ok(op)).collect();
    let open: Vec<&Op> = touched.iter().copied().filter(|op| op.ended.is_none()).collect();
    let mut findings = Vec::new();
    if let Some(first) = failed.first() {
        let after = first.ended.unwrap_or(hit).saturating_sub(hit);
        findings.push(Finding {
            what: format!(
                "{} of {} operations failed ({}), the first {} after the fault, though the fault left every one of them \
                 possible",
                failed.len(),
                touched.len(),
                tally(failed.iter().copied()),
                show(after)
            ),
            advice: "allow for a slow network: a deadline is for a peer that is lost, not for one that is late".into(),
            ops: name(failed),
        });
    }
    if !open.is_empty() {
        findings.push(Finding {
            what: format!(
                "{} of {} operations had no answer at the end, though the fault left every one of them possible",
                open.len(),
                touched.len()
            ),
            advice: "look for answers that are waited for on a connection that was given up".into(),
            ops: name(open),
        });
    }
    CheckResult::of(findings)
}
