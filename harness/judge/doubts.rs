//! Doubts: reasons for which a run is inconclusive, independent of its checks.

use std::time::Duration;

use super::facts::{Facts, FaultTimes, is_ok};
use super::format::{name, tally};
use super::harness_lag::lateness;
use super::supervision;
use crate::model::fault::FaultKind;
use crate::model::history::{Ended, Op};
use crate::model::time::show;

/// The doubts about a run.
pub(super) struct Doubts {
    pub all: Vec<String>,
    /// How many of them only say that a fault did not affect the client, or that no caller had to wait.
    pub unmet: u32,
}

/// Collects the doubts about a run. `failed`: whether any check failed.
pub(super) fn find(facts: &Facts, failed: bool) -> Doubts {
    let unmet = facts.faults.iter().filter_map(|times| without_effect(facts, times, failed));
    let unmet: Vec<String> = unmet.chain(no_caller_waited(facts).filter(|_| !failed)).collect();
    let mut all = run_doubts(facts);
    let count = unmet.len() as u32;
    all.extend(unmet);
    Doubts { all, unmet: count }
}

/// Doubts about the run itself.
fn run_doubts(facts: &Facts) -> Vec<String> {
    let mut doubts: Vec<String> = facts.doubts.iter().map(|doubt| (*doubt).to_owned()).collect();
    if facts.faults.is_empty() {
        doubts.push("the scenario has no fault, so the run says nothing about recovery".into());
    }
    doubts.extend(facts.faults.iter().flat_map(|times| fault_doubts(facts, times)));
    doubts.extend(missing_steady_state_is_a_doubt(facts));
    doubts.extend(harness_was_late(facts));
    if let (true, Some((count, why))) = (facts.is_black_box(), facts.unread) {
        doubts.push(format!(
            "cannot read {count} connections of the application, so their statements are not judged: {why}; connect without \
             encryption (sslmode=disable)"
        ));
    }
    if let Some((_, Ended::Violated { reason })) = facts.client_ended {
        doubts.push(format!("the adapter violated its protocol, so its reports cannot be trusted: {reason}"));
    }
    if let (Some((at, Ended::Exited { .. } | Ended::Panicked { .. })), Some(hit)) = (facts.client_ended, facts.hit())
        && at < hit
    {
        doubts.push("the client ended before the fault, so the fault is not the cause".into());
    }
    doubts.extend(supervision::doubt(facts));
    if facts.workload_ended.is_none() {
        doubts.push("the run did not finish".into());
    } else if facts.ledger.is_none() {
        doubts.push("the audit did not run, so no write is verified".into());
    }
    doubts
}

fn fault_doubts(facts: &Facts, times: &FaultTimes) -> Vec<String> {
    let kind = times.fault.kind;
    if !times.failed.is_empty() {
        return times.failed.iter().map(|reason| (*reason).to_owned()).collect();
    }
    let doubt = match (times.injecting, times.healed) {
        // If an earlier fault ended the client, faults that were not injected any more raise no doubt.
        (None, _) if client_died(facts) => None,
        (None, _) => Some(format!("the fault {kind} was never injected")),
        (_, None) => Some(format!("the fault {kind} was not confirmed as healed")),
        _ => None,
    };
    doubt.into_iter().collect()
}

/// Whether the client ended by itself after the first fault.
fn client_died(facts: &Facts) -> bool {
    match (facts.client_ended, facts.hit()) {
        (Some((at, Ended::Exited { .. } | Ended::Panicked { .. })), Some(hit)) => at >= hit,
        _ => false,
    }
}

/// The doubt about a fault that was injected and healed, in a run that ended, and did not affect the client.
fn without_effect(facts: &Facts, times: &FaultTimes, failed: bool) -> Option<String> {
    let is_done = times.failed.is_empty() && times.injecting.is_some() && times.healed.is_some();
    if is_done && facts.workload_ended.is_some() { no_effect(facts, times, failed) } else { None }
}

/// The doubt about a fault that did not affect the client.
fn no_effect(facts: &Facts, times: &FaultTimes, failed: bool) -> Option<String> {
    let kind = times.fault.kind;
    let evidence = facts.evidence_of(times);
    let met = evidence.iter().any(|found| found.decisive && found.count > 0);
    let done = evidence.iter().any(|found| found.count > 0);
    let missing: Vec<_> =
        evidence.iter().filter(|found| found.decisive).map(|found| format!("0 {}", found.what)).collect();
    match (met, done) {
        (true, _) => None,
        // An earlier fault may have broken the client, so this one did not affect it; the verdict is still *fail*.
        (false, true) if failed => None,
        _ => Some(format!(
            "no evidence that the fault {kind} affected the client ({}): the run is inconclusive; the client opened {} \
             connections{}",
            if missing.is_empty() { "nothing was counted".into() } else { missing.join(", ") },
            facts.opened.len(),
            unreadable(facts, kind)
        )),
    }
}

/// For a cut point: the connections in which it could not be found because they were unreadable.
fn unreadable(facts: &Facts, kind: FaultKind) -> String {
    match (kind, facts.unread) {
        (FaultKind::CutPoint(_), Some((count, why))) => format!(
            ", {count} of them unreadable ({why}); a cut point needs a client that connects without encryption \
             (sslmode=disable)"
        ),
        _ => String::new(),
    }
}

/// If the client did not work before the fault, the fault is not the cause.
fn missing_steady_state_is_a_doubt(facts: &Facts) -> Option<String> {
    if facts.header.precedes_client {
        return None;
    }
    let hit = facts.hit().unwrap_or(facts.end());
    let before: Vec<&Op> = facts.ops.iter().copied().filter(|op| op.ended.is_some_and(|ended| ended < hit)).collect();
    let Some(since) = facts.steady_since else {
        let failed: Vec<&Op> = before.into_iter().filter(|op| !is_ok(op)).collect();
        return Some(match failed.last().and_then(|op| op.error.as_ref()) {
            Some(error) => format!("no steady state: {} ({error})", tally(failed.iter().copied())),
            None if !facts.is_listening() => "no steady state: the client received no notification".into(),
            None if facts.is_black_box() => {
                "no steady state: too few statements of the application were observed".into()
            }
            None => "no steady state: not every worker had a success".into(),
        });
    };
    let failed: Vec<&Op> =
        before.iter().copied().filter(|op| !is_ok(op) && op.ended.is_some_and(|ended| ended >= since)).collect();
    if !failed.is_empty() {
        return Some(format!(
            "no steady state: {} operations failed in the {} before the fault ({}; operations {:?})",
            failed.len(),
            show(hit.saturating_sub(since)),
            tally(failed.iter().copied()),
            name(failed.iter().copied())
        ));
    }
    // The last notifications may still have been in transit when the fault was injected.
    let (sent, lost) = facts.news.lost_within(since, hit.saturating_sub(facts.header.budget.stall_threshold));
    if lost > 0 {
        return Some(format!("no steady state: {lost} of {sent} notifications sent before the fault never arrived"));
    }
    let unwell = idle_or_stuck(facts, &before, hit);
    (!unwell.is_empty() || facts.workers() == 0).then(|| {
        let workers: Vec<_> = unwell.iter().map(u32::to_string).collect();
        format!(
            "no steady state: worker {} had no success before the fault, or was stuck in an operation",
            workers.join(", ")
        )
    })
}

/// Workers that had no success before the fault, or whose open operation exceeded the stall threshold at the injection.
fn idle_or_stuck(facts: &Facts, before: &[&Op], hit: Duration) -> Vec<u32> {
    let mut well = vec![false; facts.workers() as usize];
    for op in before.iter().filter(|op| is_ok(op)) {
        if let Some(well) = well.get_mut(op.worker as usize) {
            *well = true;
        }
    }
    let threshold = facts.header.budget.stall_threshold;
    let stuck = |op: &&&Op| op.ended.is_none_or(|ended| ended >= hit) && hit.saturating_sub(op.began) > threshold;
    // An application may have long statements at any time.
    for op in facts.ops.iter().filter(stuck).filter(|_| !facts.is_black_box()) {
        if let Some(well) = well.get_mut(op.worker as usize) {
            *well = false;
        }
    }
    (0..).zip(well).filter(|(_, well)| !well).map(|(worker, _)| worker).collect()
}

/// The doubt if the scenario needs callers that wait for a connection, and there were none while the faults were in
/// force.
fn no_caller_waited(facts: &Facts) -> Option<String> {
    let (client, from, to) = (facts.client?, facts.hit()?, facts.healed()?);
    let most = most_open(facts, from, to);
    (facts.header.load.has_waiters() && most <= client.concurrency as usize).then(|| {
        format!(
            "no caller had to wait for a connection: at most {most} operations were open at once from the first fault to \
             the last heal, and the client reports a concurrency of {}",
            client.concurrency
        )
    })
}

/// The most operations open at one instant between `from` and `to`.
fn most_open(facts: &Facts, from: Duration, to: Duration) -> usize {
    let within = facts.ops.iter().filter(|op| op.ended.is_none_or(|ended| ended > from.max(op.began)));
    // At the same instant, ends sort before beginnings.
    let mut steps: Vec<(Duration, bool)> = within
        .flat_map(|op| [(op.began.max(from), true), (op.ended.unwrap_or(Duration::MAX), false)])
        .filter(|(at, _)| *at <= to)
        .collect();
    steps.sort();
    let (_, most) = steps.iter().fold((0usize, 0), |(open, most), (_, begins)| {
        let open = if *begins { open + 1 } else { open.saturating_sub(1) };
        (open, most.max(open))
    });
    most
}

/// If the harness starts operations late, the figures measure the harness.
fn harness_was_late(facts: &Facts) -> Option<String> {
    // Of equal delays the first counts.
    let worst = lateness(facts).reduce(|worst, next| if next.0 > worst.0 { next } else { worst });
    let (late, op) = worst.filter(|(late, _)| *late > facts.header.budget.stall_threshold)?;
    Some(format!("the harness started {} {} {} late although its worker was free", op.kind, op.id, show(late)))
}
