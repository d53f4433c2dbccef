//! Operations that took longer than something allows, for the checks that ask this.

use std::time::Duration;

use super::facts::Facts;
use crate::model::history::Op;
use crate::model::time::show;

/// From when it was asked to its answer, or to the end of the run if it had none.
pub(super) fn took(facts: &Facts, op: &Op) -> Duration {
    op.ended.unwrap_or(facts.end()).saturating_sub(op.began)
}

/// Those that outlived a limit, the longest first.
pub(super) fn over<'a>(facts: &Facts<'a>, limit: Duration) -> Vec<&'a Op> {
    let mut over: Vec<&Op> = facts.ops.iter().copied().filter(|op| took(facts, op) > limit).collect();
    over.sort_by_key(|op| std::cmp::Reverse(took(facts, op)));
    over
}

/// The first of them, and how many never had an answer: `the worst, write 7 of worker 2, took 3.2 s`.
pub(super) fn worst(facts: &Facts, over: &[&Op]) -> String {
    let Some(worst) = over.first() else { return String::new() };
    let open = over.iter().filter(|op| op.ended.is_none()).count();
    let whose = if facts.is_watched() { String::new() } else { format!(" of worker {}", worst.worker) };
    format!(
        "the worst, {} {}{whose}, took {}{}",
        worst.kind,
        worst.id,
        show(took(facts, worst)),
        if open > 0 { format!(", and {open} never returned") } else { String::new() }
    )
}
