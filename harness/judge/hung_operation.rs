//! *hung operation*: every call returns in time.

use std::time::Duration;

use super::facts::Facts;
use super::verdict::{CheckResult, Finding};
use super::words::name;
use crate::history::Op;
use crate::time::show;

/// What a client is forgiven beyond the timeout it declares: timers fire late on a busy machine.
const GRACE: Duration = Duration::from_secs(1);

pub(super) fn check(facts: &Facts) -> CheckResult {
    let deadline = facts.header.budget.op_deadline;
    let declared = facts.client.and_then(|client| client.timeout);
    let limit = declared.map_or(deadline, |declared| deadline.min(declared + GRACE));
    let took = |op: &Op| op.ended.unwrap_or(facts.end()).saturating_sub(op.began);
    let mut hung: Vec<&Op> = facts.ops.iter().copied().filter(|op| took(op) > limit).collect();
    hung.sort_by_key(|op| std::cmp::Reverse(took(op)));
    let Some(worst) = hung.first() else { return CheckResult::Pass };
    let open = hung.iter().filter(|op| op.ended.is_none()).count();
    let against = match declared {
        Some(declared) if declared + GRACE < deadline => format!("the {} that the client declares", show(declared)),
        _ => format!("the deadline of {}", show(deadline)),
    };
    CheckResult::of(vec![Finding {
        what: format!(
            "{} operations outlived {against}; the worst, {} {} of worker {}, took {}{}",
            hung.len(),
            worst.kind,
            worst.id,
            worst.worker,
            show(took(worst)),
            if open > 0 { format!(", and {open} never returned") } else { String::new() }
        ),
        advice:
            "give every call a deadline of its own; TCP alone notices a silent peer after 15 minutes, and a frozen \
                 one never"
                .into(),
        ops: name(hung),
    }])
}
