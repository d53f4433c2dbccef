//! Why a run may prove nothing, whatever its checks say.

use std::time::Duration;

use super::facts::{Facts, FaultTimes, is_ok};
use super::format::{name, tally};
use super::harness_lag::lateness;
use super::supervision;
use crate::model::fault::FaultKind;
use crate::model::history::{Ended, Op};
use crate::model::time::show;

/// Every reason not to trust the run.
pub(super) struct Doubts {
    pub all: Vec<String>,
    /// How many of them only say that something of what was asked for never met the client.
    pub unmet: u32,
}

/// Every reason not to trust the run. `failed`: whether some check failed.
pub(super) fn find(facts: &Facts, failed: bool) -> Doubts {
    let unmet = facts.faults.iter().filter_map(|times| without_effect(facts, times, failed));
    let unmet: Vec<String> = unmet.chain(nobody_waited(facts).filter(|_| !failed)).collect();
    let mut all = reasons(facts);
    let count = unmet.len() as u32;
    all.extend(unmet);
    Doubts { all, unmet: count }
}

/// Those that are about the run itself.
fn reasons(facts: &Facts) -> Vec<String> {
    let mut doubts: Vec<String> = facts.doubts.iter().map(|doubt| (*doubt).to_owned()).collect();
    if facts.faults.is_empty() {
        doubts.push("no fault was asked for, so nothing is shown about recovery".into());
    }
    doubts.extend(facts.faults.iter().flat_map(|times| of_fault(facts, times)));
    doubts.extend(no_steady_state(facts));
    doubts.extend(late(facts));
    if let (true, Some((count, why))) = (facts.is_watched(), facts.unread) {
        doubts.push(format!(
            "{count} connections of the application could not be read ({why}), so that what it did on them was not seen: \
             have it connect without encryption, like sslmode=disable"
        ));
    }
    if let Some((_, Ended::Violated { reason })) = facts.client_ended {
        doubts.push(format!("the adapter broke its protocol, so nothing it says can be trusted: {reason}"));
    }
    if let (Some((at, Ended::Exited { .. } | Ended::Panicked { .. })), Some(hit)) = (facts.client_ended, facts.hit())
        && at < hit
    {
        doubts.push("the client ended before the fault, which cannot be to blame".into());
    }
    doubts.extend(supervision::doubt(facts));
    if facts.workload_ended.is_none() {
        doubts.push("the run did not finish".into());
    } else if facts.ledger.is_none() {
        doubts.push("the audit did not happen, so no write is known to be safe".into());
    }
    doubts
}

fn of_fault(facts: &Facts, times: &FaultTimes) -> Vec<String> {
    let kind = times.fault.kind;
    if !times.failed.is_empty() {
        return times.failed.iter().map(|reason| (*reason).to_owned()).collect();
    }
    let doubt = match (times.injecting, times.healed) {
        // A client that an earlier fault has killed is not spared the verdict by those that it did not live to see.
        (None, _) if killed(facts) => None,
        (None, _) => Some(format!("the fault {kind} was never injected")),
        (_, None) => Some(format!("the fault {kind} was never seen healed")),
        _ => None,
    };
    doubt.into_iter().collect()
}

/// Whether the client ended by itself after the first fault.
fn killed(facts: &Facts) -> bool {
    match (facts.client_ended, facts.hit()) {
        (Some((at, Ended::Exited { .. } | Ended::Panicked { .. })), Some(hit)) => at >= hit,
        _ => false,
    }
}

/// The doubt of a fault that was carried out, and did nothing.
fn without_effect(facts: &Facts, times: &FaultTimes, failed: bool) -> Option<String> {
    let is_done = times.failed.is_empty() && times.injecting.is_some() && times.healed.is_some();
    if is_done && facts.workload_ended.is_some() { no_effect(facts, times, failed) } else { None }
}

/// A fault proves something only if it met the client.
fn no_effect(facts: &Facts, times: &FaultTimes, failed: bool) -> Option<String> {
    let kind = times.fault.kind;
    let evidence = facts.evidence_of(times);
    let met = evidence.iter().any(|found| found.decisive && found.count > 0);
    let done = evidence.iter().any(|found| found.count > 0);
    let missing: Vec<_> =
        evidence.iter().filter(|found| found.decisive).map(|found| format!("0 {}", found.what)).collect();
    match (met, done) {
        (true, _) => None,
        // A client that is broken by what came before never gets as far as the proof: it is broken all the same.
        (false, true) if failed => None,
        _ => Some(format!(
            "the fault {kind} had no effect that was seen ({}), so surviving it proves nothing; {} connections were \
             opened in this run{}",
            if missing.is_empty() { "no evidence".into() } else { missing.join(", ") },
            facts.opened.len(),
            unread(facts, kind)
        )),
    }
}

/// Where a cut point was never reached because nobody could look for it.
fn unread(facts: &Facts, kind: FaultKind) -> String {
    match (kind, facts.unread) {
        (FaultKind::CutPoint(_), Some((count, why))) => format!(
            ", and {count} of them could not be read ({why}): cut points need a client that speaks without encryption, \
             like sslmode=disable"
        ),
        _ => String::new(),
    }
}

/// A client that was not well before the fault cannot be blamed on the fault.
fn no_steady_state(facts: &Facts) -> Option<String> {
    if facts.header.precedes_client {
        return None;
    }
    let hit = facts.hit().unwrap_or(facts.end());
    let before: Vec<&Op> = facts.ops.iter().copied().filter(|op| op.ended.is_some_and(|ended| ended < hit)).collect();
    let Some(since) = facts.steady_since else {
        let failed: Vec<&Op> = before.into_iter().filter(|op| !is_ok(op)).collect();
        return Some(match failed.last().and_then(|op| op.error.as_ref()) {
            Some(error) => format!("no steady state: {} ({error})", tally(failed.iter().copied())),
            None if !facts.is_listening() => "no steady state: the client heard no notification".into(),
            None if facts.is_watched() => "no steady state: the application was not seen at work long enough".into(),
            None => "no steady state: no operation succeeded on every worker".into(),
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
    // Those that were sent last may have been on their way when the fault came.
    let (sent, lost) = facts.news.lost_within(since, hit.saturating_sub(facts.header.budget.stall_threshold));
    if lost > 0 {
        return Some(format!("no steady state: of {sent} notifications sent before the fault, {lost} never arrived"));
    }
    let unwell = idle_or_stuck(facts, &before, hit);
    (!unwell.is_empty() || facts.workers() == 0).then(|| {
        let workers: Vec<_> = unwell.iter().map(u32::to_string).collect();
        format!("no steady state: no success before the fault, or stuck in an operation: worker {}", workers.join(", "))
    })
}

/// Workers that had no success before the fault, or were already waiting too long for one when it came.
fn idle_or_stuck(facts: &Facts, before: &[&Op], hit: Duration) -> Vec<u32> {
    let mut well = vec![false; facts.workers() as usize];
    for op in before.iter().filter(|op| is_ok(op)) {
        if let Some(well) = well.get_mut(op.worker as usize) {
            *well = true;
        }
    }
    let threshold = facts.header.budget.stall_threshold;
    let stuck = |op: &&&Op| op.ended.is_none_or(|ended| ended >= hit) && hit.saturating_sub(op.began) > threshold;
    // A long statement of an application is nothing unusual.
    for op in facts.ops.iter().filter(stuck).filter(|_| !facts.is_watched()) {
        if let Some(well) = well.get_mut(op.worker as usize) {
            *well = false;
        }
    }
    (0..).zip(well).filter(|(_, well)| !well).map(|(worker, _)| worker).collect()
}

/// Where callers are to wait for a connection, there must have been some who did while the faults were in force.
fn nobody_waited(facts: &Facts) -> Option<String> {
    let (client, from, to) = (facts.client?, facts.hit()?, facts.healed()?);
    let most = most_open(facts, from, to);
    (facts.header.load.has_waiters() && most <= client.concurrency as usize).then(|| {
        format!(
            "no caller had to wait for a connection: at most {most} operations were open at once from the first fault to \
             the last heal, and the client says that it can carry {}",
            client.concurrency
        )
    })
}

/// The most operations that were open at one instant of this time.
fn most_open(facts: &Facts, from: Duration, to: Duration) -> usize {
    let within = facts.ops.iter().filter(|op| op.ended.is_none_or(|ended| ended > from.max(op.began)));
    // Of those in the same instant an end comes before a beginning.
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

/// A harness that does not keep its own pace measures itself.
fn late(facts: &Facts) -> Option<String> {
    // Of equals the first.
    let worst = lateness(facts).reduce(|worst, next| if next.0 > worst.0 { next } else { worst });
    let (late, op) = worst.filter(|(late, _)| *late > facts.header.budget.stall_threshold)?;
    Some(format!(
        "the harness did not keep its pace: {} {} was begun {} late, with its worker idle",
        op.kind,
        op.id,
        show(late)
    ))
}
