//! Operations that took longer than a limit, for *hung operation* and *deadline*.

use std::time::Duration;

use super::facts::Facts;
use crate::model::history::Op;
use crate::model::time::show;

/// Time from an operation's actual start to its answer, or to the end of the workload if it had none.
pub(super) fn took(facts: &Facts, op: &Op) -> Duration {
    op.ended.unwrap_or(facts.end()).saturating_sub(op.began)
}

/// Operations that took longer than a limit, the longest first.
pub(super) fn over<'a>(facts: &Facts<'a>, limit: Duration) -> Vec<&'a Op> {
    let mut over: Vec<&Op> = facts.ops.iter().copied().filter(|op| took(facts, op) > limit).collect();
    over.sort_by_key(|op| std::cmp::Reverse(took(facts, op)));
    over
}

/// The first operation of `over`, and how many of them never returned: `the worst, write 7 of worker 2, took 3.2 s`.
pub(super) fn worst(facts: &Facts, over: &[&Op]) -> String {
    let Some(worst) = over.first() else { return String::new() };
    let open = over.iter().filter(|op| op.ended.is_none()).count();
    let worker = if facts.is_black_box() { String::new() } else { format!(" of worker {}", worst.worker) };
    format!(
        "the worst, {} {}{worker}, took {}{}",
        worst.kind,
        worst.id,
        show(took(facts, worst)),
        if open > 0 { format!(", and {open} never returned") } else { String::new() }
    )
}
