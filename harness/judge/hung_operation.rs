//! *hung operation*: every call returns in time.

use std::time::Duration;

use super::advice;
use super::black_box;
use super::facts::Facts;
use super::format::name;
use super::slow_ops;
use super::verdict::{CheckResult, Finding};
use crate::model::time::show;

/// What a client is forgiven beyond the timeout it declares: timers fire late on a busy machine.
const GRACE: Duration = Duration::from_secs(1);

pub(super) fn check(facts: &Facts) -> CheckResult {
    let mut deadline = facts.header.budget.op_deadline;
    if facts.is_watched() {
        deadline = black_box::longest(facts, deadline);
    }
    let declared = facts.client.and_then(|client| client.timeout);
    let limit = declared.map_or(deadline, |declared| deadline.min(declared + GRACE));
    let hung = slow_ops::over(facts, limit);
    if hung.is_empty() {
        return CheckResult::Pass;
    }
    let against = match declared {
        Some(declared) if declared + GRACE < deadline => format!("the {} that the client declares", show(declared)),
        _ => format!("the deadline of {}", show(deadline)),
    };
    CheckResult::of(vec![Finding {
        what: format!("{} operations outlived {against}; {}", hung.len(), slow_ops::worst(facts, &hung)),
        advice: advice::to_return(facts),
        ops: name(hung),
    }])
}
