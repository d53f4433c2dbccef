//! Why a run may prove nothing, whatever its checks say.

use super::facts::{Facts, is_ok, name, tally};
use crate::history::{Ended, Op};
use crate::time::show;

/// Every reason not to trust the run. `failed`: whether some check failed.
pub(super) fn find(facts: &Facts, failed: bool) -> Vec<String> {
    let mut doubts: Vec<String> = facts.doubts.iter().map(|doubt| (*doubt).to_owned()).collect();
    for times in &facts.faults {
        let kind = times.fault.kind;
        if let Some(reason) = times.failed {
            doubts.push(reason.to_owned());
        } else if times.injecting.is_none() {
            doubts.push(format!("the fault {kind} was never injected"));
        } else if times.healed.is_none() {
            doubts.push(format!("the fault {kind} was never seen healed"));
        } else if facts.workload_ended.is_some() {
            doubts.extend(no_effect(facts, times, failed));
        }
    }
    doubts.extend(no_steady_state(facts));
    if let Some((_, Ended::Violated { reason })) = facts.client_ended {
        doubts.push(format!("the adapter broke its protocol, so nothing it says can be trusted: {reason}"));
    }
    if facts.workload_ended.is_none() {
        doubts.push("the run did not finish".into());
    } else if facts.ledger.is_none() {
        doubts.push("the audit did not happen, so no write is known to be safe".into());
    }
    doubts
}

/// A fault proves something only if it met the client.
fn no_effect(facts: &Facts, times: &super::facts::FaultTimes, failed: bool) -> Option<String> {
    let kind = times.fault.kind;
    let met = times.evidence.iter().any(|found| found.decisive && found.count > 0);
    let done = times.evidence.iter().any(|found| found.count > 0);
    let missing: Vec<_> =
        times.evidence.iter().filter(|found| found.decisive).map(|found| found.what.as_str()).collect();
    match (met, done) {
        (true, _) => None,
        // A client that is broken by what came before never gets as far as the proof: it is broken all the same.
        (false, true) if failed => None,
        _ => Some(format!(
            "the fault {kind} had no effect that was seen (0 {}), so surviving it proves nothing; {} connections were \
             opened in this run",
            missing.join(", 0 "),
            facts.opened.len()
        )),
    }
}

/// A client that was not well before the fault cannot be blamed on the fault.
fn no_steady_state(facts: &Facts) -> Option<String> {
    if facts.header.precedes_client {
        return None;
    }
    let Some(hit) = facts.hit() else {
        return facts.steady_since.is_none().then(|| {
            let failed: Vec<&Op> = facts.ops.iter().copied().filter(|op| !is_ok(op)).collect();
            match failed.last().and_then(|op| op.error.as_ref()) {
                Some(error) => format!("no steady state: {} ({error})", tally(failed.iter().copied())),
                None => "no steady state: no operation succeeded on every worker".into(),
            }
        });
    };
    let since = facts.steady_since.unwrap_or(hit);
    let before = |op: &&&Op| op.ended.is_some_and(|ended| ended >= since && ended < hit);
    let failed: Vec<&Op> = facts.ops.iter().filter(before).copied().filter(|op| !is_ok(op)).collect();
    if failed.is_empty() {
        return None;
    }
    Some(format!(
        "no steady state: {} operations failed in the {} before the fault ({}; operations {:?})",
        failed.len(),
        show(hit - since),
        tally(failed.iter().copied()),
        name(failed.iter().copied())
    ))
}
