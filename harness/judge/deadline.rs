//! *deadline*: a call that the application cancels returns, and leaves nothing behind that the next call runs into.

use std::time::Duration;

use super::facts::Facts;
use super::format::name;
use super::harness_lag::lateness;
use super::slow_ops;
use super::verdict::{CheckResult, Finding};
use crate::model::history::{ErrorKind, Op};
use crate::model::sqlstate;
use crate::model::time::show;

/// What a client is forgiven beyond the deadline: timers fire late on a busy machine, and to close a connection in order
/// may take one short wait.
const GRACE: Duration = Duration::from_secs(1);

pub(super) fn check(facts: &Facts) -> CheckResult {
    let Some(deadline) = facts.header.load.deadline else {
        return CheckResult::not_applicable("the scenario gives operations no deadline");
    };
    let Some(hit) = facts.hit() else {
        return CheckResult::not_applicable("no fault was injected");
    };
    if !facts.ops.iter().any(|op| slow_ops::took(facts, op) >= deadline || is_cancelled(op)) {
        return CheckResult::not_applicable("no operation took as long as its deadline");
    }
    let late = late(facts, hit, deadline);
    if let (Some(_), Some(reason)) = (&late, out_of_breath(facts, hit)) {
        return CheckResult::Unknown { reason };
    }
    CheckResult::of([late, left_behind(facts)].into_iter().flatten().collect())
}

/// Why a late answer is not the client's: the machine was out of breath when it came.
fn out_of_breath(facts: &Facts, hit: Duration) -> Option<String> {
    let worst = lateness(facts).filter(|(_, op)| op.began >= hit).map(|(late, _)| late).max()?;
    (worst > GRACE / 2).then(|| {
        format!(
            "the harness itself was {} late once, so that answers that are late may be the machine's: give it less to do at \
             once (--jobs)",
            show(worst)
        )
    })
}

fn is_cancelled(op: &Op) -> bool {
    op.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Deadline)
}

/// Calls that were cancelled, and returned much later.
fn late(facts: &Facts, hit: Duration, deadline: Duration) -> Option<Finding> {
    let mut late = slow_ops::over(facts, deadline + GRACE);
    // What ended before the fault was slow for another reason.
    late.retain(|op| op.ended.is_none_or(|ended| ended >= hit));
    if late.is_empty() {
        return None;
    }
    let what = format!(
        "{} calls came back more than {} after the application's deadline of {}; {}",
        late.len(),
        show(GRACE),
        show(deadline),
        slow_ops::worst(facts, &late)
    );
    let advice = "to cancel a call must not wait for the server: no request to cancel without a timeout of its own, no \
                  orderly close or rollback over a connection that no longer answers";
    Some(Finding { what, advice: advice.into(), ops: name(late) })
}

/// Operations that ran into a transaction which a cancelled one had left open.
fn left_behind(facts: &Facts) -> Option<Finding> {
    let first = facts.ops.iter().find(|op| is_cancelled(op))?;
    let ran_into = |op: &&Op| {
        let code = op.error.as_ref().and_then(|error| error.sqlstate.as_deref());
        code.is_some_and(|code| code == sqlstate::ACTIVE_TRANSACTION || code == sqlstate::FAILED_TRANSACTION)
    };
    let hurt: Vec<&Op> = facts.answered_since(first.ended?).filter(ran_into).collect();
    let worst = hurt.first()?;
    let what = format!(
        "{} operations found a transaction open that was not theirs, after calls had been cancelled; the first was {} {} ({})",
        hurt.len(),
        worst.kind,
        worst.id,
        worst.error.as_ref().map(ToString::to_string).unwrap_or_default()
    );
    let advice = "a connection on which a call was cancelled goes back to the pool only once the server has confirmed that \
                  it is idle; else close it";
    Some(Finding { what, advice: advice.into(), ops: name(hurt) })
}
