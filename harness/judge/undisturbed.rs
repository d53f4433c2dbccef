//! *undisturbed*: under a fault that leaves all operations possible, none fails and none hangs.
//!
//! Applies only if the scenario sets `undisturbed`: most faults make some operations impossible, and then the caller
//! needs an error.

use std::time::Duration;

use super::facts::{Facts, is_ok};
use super::format::{name, tally};
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::Op;
use crate::model::time::show;

pub(super) const SPEC: CheckSpec = CheckSpec { check: Check::Undisturbed, black_box: BlackBox::Applies, run: check };

fn check(facts: &Facts) -> CheckResult {
    if !facts.header.budget.undisturbed {
        return CheckResult::not_applicable("operations may fail under this fault");
    }
    let Some(hit) = facts.hit() else {
        return CheckResult::not_applicable("no fault was injected");
    };
    // A later fault may make operations impossible: only operations that ended before it count.
    let interrupting = facts.faults.iter().filter(|times| !times.fault.kind.leaves_possible());
    let until = interrupting.filter_map(|times| times.injecting).filter(|at| *at > hit).min().unwrap_or(Duration::MAX);
    let before_interruption = |op: &&Op| op.ended.map_or(until == Duration::MAX, |ended| (hit..until).contains(&ended));
    let touched: Vec<&Op> = facts.ops.iter().copied().filter(before_interruption).collect();
    let failed: Vec<&Op> = touched.iter().copied().filter(|op| op.ended.is_some() && !is_ok(op)).collect();
    let open: Vec<&Op> = touched.iter().copied().filter(|op| op.ended.is_none()).collect();
    let mut findings = Vec::new();
    if let Some(first) = failed.first() {
        let after = first.ended.unwrap_or(hit).saturating_sub(hit);
        findings.push(Finding {
            what: format!(
                "{} of {} operations failed ({}), the first {} after the fault; none should fail, because this fault leaves \
                 all operations possible",
                failed.len(),
                touched.len(),
                tally(failed.iter().copied()),
                show(after)
            ),
            advice: "set timeouts longer than a slow network needs: time out on a lost peer, not on a late answer".into(),
            ops: name(failed),
        });
    }
    if !open.is_empty() {
        findings.push(Finding {
            what: format!(
                "{} of {} operations never returned; all should, because this fault leaves all operations possible",
                open.len(),
                touched.len()
            ),
            advice: "look for operations that wait for an answer on a connection that the client has discarded".into(),
            ops: name(open),
        });
    }
    CheckResult::from_findings(findings)
}
