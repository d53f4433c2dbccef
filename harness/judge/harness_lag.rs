//! How late the harness started operations although their worker was free. The usual causes: the machine is
//! overloaded or was suspended, or an in-process client blocks the thread that drives it.

use std::time::Duration;

use super::facts::Facts;
use crate::model::history::Op;

/// All operations in the order of their answers, each with its delay: from the later of its intended start and the
/// instant when its worker was free, to its actual start.
pub(super) fn lateness<'a>(facts: &'a Facts) -> impl Iterator<Item = (Duration, &'a Op)> {
    let mut free = vec![Duration::ZERO; facts.workers() as usize];
    facts.ops.iter().filter_map(move |op| {
        let free = free.get_mut(op.worker as usize)?;
        let late = op.began.saturating_sub(op.intended.max(*free));
        *free = op.ended.unwrap_or(*free);
        Some((late, *op))
    })
}
