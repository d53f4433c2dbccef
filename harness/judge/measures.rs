//! The figures of a run: time-to-detect, time-to-first-success, time-to-recover, errors, operations and connections.

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts::{Facts, is_ok};
use super::recovery::recovered_at;
use super::verdict::{Measures, Recovery, WorstOp};
use super::{subscription, supervision};
use crate::model::history::{Op, Outcome};

pub(crate) fn measure(facts: &Facts) -> Measures {
    let count = |outcome| facts.ops.iter().filter(|op| op.outcome == outcome).map(|op| op.count).sum();
    let mut errors = BTreeMap::<String, u64>::new();
    let hit = facts.hit();
    for op in hit.into_iter().flat_map(|hit| facts.answered_since(hit)) {
        if let Some(error) = op.error.as_ref().filter(|_| !is_ok(op)) {
            *errors.entry(error.label()).or_default() += op.count;
        }
    }
    Measures {
        time_to_detect: time_to_detect(facts),
        time_to_first_success: time_to_first_success(facts),
        time_to_recover: time_to_recover(facts),
        errors,
        ok: count(Outcome::Ok),
        fail: count(Outcome::Fail),
        info: count(Outcome::Info),
        worst_op: worst_op(facts),
        connections_opened: facts.opened.len() as u64,
        connections_per_second_peak: peak(&facts.opened, Duration::from_secs(1)),
        gateway_overhead: facts.calibration.map(|(direct, gateway)| gateway.saturating_sub(direct)),
        listening: subscription::measure(facts),
        restarts: supervision::measure(facts),
    }
}

/// From the fault to its first sign: an operation that does not succeed, or one that exceeds the stall threshold.
fn time_to_detect(facts: &Facts) -> Option<Duration> {
    let hit = facts.hit()?;
    let threshold = facts.header.budget.stall_threshold;
    let sign = |op: &Op| {
        let ended = op.ended.unwrap_or(facts.end());
        let slow = (ended > op.intended + threshold).then_some(op.intended + threshold);
        let failed = op.ended.filter(|_| !is_ok(op));
        [slow, failed].into_iter().flatten().filter(|at| *at >= hit).min()
    };
    facts.ops.iter().filter_map(|op| sign(op)).min().map(|at| at - hit)
}

/// From [`recovery_starts`](Facts::recovery_starts) to the first success of an operation begun after the last
/// injection.
fn time_to_first_success(facts: &Facts) -> Option<Duration> {
    let (fault, starts) = (facts.last_injection()?, facts.recovery_starts()?);
    let first = facts.answered_since(starts).find(|op| is_ok(op) && op.began >= fault)?;
    first.ended.map(|ended| ended - starts)
}

fn time_to_recover(facts: &Facts) -> Recovery {
    let Some(starts) = facts.recovery_starts() else { return Recovery::NotMeasured };
    match recovered_at(facts) {
        Some(at) => Recovery::Recovered { after: at - starts },
        None => {
            Recovery::Censored { beyond: facts.end().saturating_sub(starts).min(facts.header.budget.time_to_recover) }
        }
    }
}

fn worst_op(facts: &Facts) -> Option<WorstOp> {
    let took = |op: &Op| op.latency().unwrap_or_else(|| facts.end().saturating_sub(op.intended));
    let worst = facts.ops.iter().max_by_key(|op| took(op))?;
    Some(WorstOp { id: worst.id, kind: worst.kind, took: took(worst), ended: worst.ended.is_some() })
}

/// The largest number of these ascending instants within any window of this length.
pub(super) fn peak(instants: &[Duration], window: Duration) -> u64 {
    let mut from = 0;
    let mut peak = 0;
    for (index, at) in instants.iter().enumerate() {
        while instants[from] + window <= *at {
            from += 1;
        }
        peak = peak.max(index - from + 1);
    }
    peak as u64
}
