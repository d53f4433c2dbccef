//! *hung operation*: every operation returns within the budget's `op_deadline`, and within the timeout that the
//! client declares. The application's own deadline is another check: *deadline*.

use std::time::Duration;

use super::advice;
use super::black_box;
use super::facts::Facts;
use super::format::name;
use super::slow_ops;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::time::show;

/// Tolerance beyond the timeout that a client declares: timers fire late on a busy machine.
const GRACE: Duration = Duration::from_secs(1);

pub(super) const SPEC: CheckSpec = CheckSpec { check: Check::HungOperation, black_box: BlackBox::Applies, run: check };

fn check(facts: &Facts) -> CheckResult {
    let mut deadline = facts.header.budget.op_deadline;
    if facts.is_black_box() {
        deadline = black_box::longest(facts, deadline);
    }
    let declared = facts.client.and_then(|client| client.timeout);
    let limit = declared.map_or(deadline, |declared| deadline.min(declared + GRACE));
    let hung = slow_ops::over(facts, limit);
    if hung.is_empty() {
        return CheckResult::Pass;
    }
    let against = match declared {
        Some(declared) if declared + GRACE < deadline => {
            format!("the timeout of {} that the client declares", show(declared))
        }
        _ => format!("the deadline of {}", show(deadline)),
    };
    CheckResult::from_findings(vec![Finding {
        what: format!("{} operations took longer than {against}; {}", hung.len(), slow_ops::worst(facts, &hung)),
        advice: advice::to_return(facts),
        ops: name(hung),
    }])
}
