//! *deadline*: a call that the application cancels returns soon, and leaves no open transaction to the next call.
//!
//! The harness passes the application's deadline to the client, which must keep it, and measures when the call
//! returns. The harness cancels nothing itself, except that it drops the future of an in-process client, because such
//! clients cancel in this way. Clean-up by the library after the deadline (a cancel request that waits for an answer,
//! an orderly close, a ROLLBACK) is part of the test.

use std::time::Duration;

use super::facts::Facts;
use super::format::name;
use super::harness_lag::lateness;
use super::slow_ops;
use super::verdict::{Check, CheckResult, Finding};
use super::{BlackBox, CheckSpec};
use crate::model::history::{ErrorKind, Op};
use crate::model::sqlstate;
use crate::model::time::show;

/// Tolerance beyond the deadline: timers fire late on a busy machine, and an orderly close may need one short wait.
const GRACE: Duration = Duration::from_secs(1);

pub(super) const SPEC: CheckSpec = CheckSpec {
    check: Check::Deadline,
    black_box: BlackBox::NotSeen("the harness sends no operations to a black-box application"),
    run: check,
};

fn check(facts: &Facts) -> CheckResult {
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
    if let (Some(_), Some(reason)) = (&late, harness_lateness(facts, hit)) {
        return CheckResult::Unknown { reason };
    }
    CheckResult::from_findings([late, left_behind(facts)].into_iter().flatten().collect())
}

/// Why a late answer may be due to the machine: the harness itself was late after the fault.
fn harness_lateness(facts: &Facts, hit: Duration) -> Option<String> {
    let worst = lateness(facts).filter(|(_, op)| op.began >= hit).map(|(late, _)| late).max()?;
    (worst > GRACE / 2).then(|| {
        format!(
            "the harness itself started an operation {} late, so a late answer may be due to the machine: run fewer runs at \
             once (--jobs)",
            show(worst)
        )
    })
}

fn is_cancelled(op: &Op) -> bool {
    op.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Deadline)
}

/// The finding about calls that returned more than [`GRACE`] after their deadline, or never.
fn late(facts: &Facts, hit: Duration, deadline: Duration) -> Option<Finding> {
    let mut late = slow_ops::over(facts, deadline + GRACE);
    // A call that ended before the fault was slow for another reason.
    late.retain(|op| op.ended.is_none_or(|ended| ended >= hit));
    if late.is_empty() {
        return None;
    }
    let what = format!(
        "{} calls returned more than {} after the application's deadline of {}; {}",
        late.len(),
        show(GRACE),
        show(deadline),
        slow_ops::worst(facts, &late)
    );
    let advice = "cancel a call without waiting for the server: give the cancel request a timeout of its own, and do not \
                  roll back or close in order on a connection that no longer answers";
    Some(Finding { what, advice: advice.into(), ops: name(late) })
}

/// The finding about operations that ran into a transaction which a cancelled operation had left open.
fn left_behind(facts: &Facts) -> Option<Finding> {
    let first = facts.ops.iter().find(|op| is_cancelled(op))?;
    let ran_into = |op: &&Op| {
        let code = op.error.as_ref().and_then(|error| error.sqlstate.as_deref());
        code.is_some_and(|code| code == sqlstate::ACTIVE_TRANSACTION || code == sqlstate::FAILED_TRANSACTION)
    };
    let hurt: Vec<&Op> = facts.answered_since(first.ended?).filter(ran_into).collect();
    let worst = hurt.first()?;
    let what = format!(
        "{} operations ran into a transaction that a cancelled call had left open; the first was {} {} ({})",
        hurt.len(),
        worst.kind,
        worst.id,
        worst.error.as_ref().map(ToString::to_string).unwrap_or_default()
    );
    let advice = "return the connection of a cancelled call to the pool only after the server has confirmed that it is \
                  idle; otherwise close it";
    Some(Finding { what, advice: advice.into(), ops: name(hurt) })
}
