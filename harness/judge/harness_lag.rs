//! Whether the harness kept its own pace. What it begins late although the worker is free is no client's doing: a machine
//! out of breath, a laptop that slept, an in-process client that blocks the thread on which it is driven.

use std::time::Duration;

use super::facts::Facts;
use crate::model::history::Op;

/// Every operation, in order of the answers, with how late it was begun while its worker was free.
pub(super) fn lateness<'a>(facts: &'a Facts) -> impl Iterator<Item = (Duration, &'a Op)> {
    let mut free = vec![Duration::ZERO; facts.workers() as usize];
    facts.ops.iter().filter_map(move |op| {
        let free = free.get_mut(op.worker as usize)?;
        let late = op.began.saturating_sub(op.intended.max(*free));
        *free = op.ended.unwrap_or(*free);
        Some((late, *op))
    })
}
