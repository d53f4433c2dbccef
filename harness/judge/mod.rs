//! Turns a history into a [`Verdict`]. Pure: no clock, no socket, no file; the same history always gives the same verdict.
//!
//! One file per check. Any doubt makes the verdict *unknown*, even if a check fails: a doubt about the run (a fault
//! without evidence, no steady state before the fault, no audit) or a check that cannot decide. Without a doubt, the
//! verdict is *fail* if any check fails.

mod advice;
mod black_box;
mod certificate_words;
mod connection_leak;
mod deadline;
mod doubts;
mod duplicated_write;
mod error_surface;
mod expected_error;
mod facts;
mod format;
mod full_capacity;
mod harness_lag;
mod hung_operation;
mod lost_write;
mod measures;
mod process;
mod reconnect_storm;
mod recovered;
mod recovery;
mod slow_ops;
mod stale_read;
mod subscription;
mod supervision;
mod throughput;
mod undisturbed;
mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::doubts::Doubts;

pub(crate) use crate::judge::supervision::is_proved;
pub(crate) use black_box::is_at_work;
pub(crate) use facts::Facts;
pub(crate) use format::by_frequency;
pub(crate) use measures::measure as measures;
pub(crate) use recovery::recovered_at;
pub(crate) use subscription::is_subscribed_again;
pub(crate) use throughput::rates;
pub use verdict::{
    Check, CheckResult, EvidenceSummary, Finding, Listening, Measures, Recovery, Restarts, Verdict, VerdictKind,
    WorstOp,
};

use crate::model::history::History;

/// The version of a stored verdict.
pub const FORMAT: u32 = 1;

/// Judges one history.
pub fn judge(history: &History) -> Verdict {
    let facts = Facts::gather(history);
    let checks: Vec<_> = CHECKS
        .iter()
        .map(|CheckSpec { check, black_box, run }| {
            let result = match black_box {
                BlackBox::NotSeen(reason) if facts.is_black_box() => CheckResult::not_applicable(reason),
                // A check that panics gives *unknown*, and the others still run.
                _ => catch_unwind(AssertUnwindSafe(|| run(&facts))).unwrap_or_else(|_| CheckResult::Unknown {
                    reason: "the check panicked: please report this bug of pgsquall".into(),
                }),
            };
            (*check, result)
        })
        .collect();
    let failed = checks.iter().any(|(_, result)| matches!(result, CheckResult::Fail { .. }));
    let Doubts { all: mut doubts, unmet } = doubts::find(&facts, failed);
    doubts.extend(checks.iter().filter_map(|(check, result)| match result {
        CheckResult::Unknown { reason } => Some(format!("{check}: {reason}")),
        _ => None,
    }));
    let kind = match (doubts.is_empty(), failed) {
        (false, _) => VerdictKind::Unknown,
        (true, true) => VerdictKind::Fail,
        (true, false) => VerdictKind::Pass,
    };
    Verdict {
        format: FORMAT,
        setup: history.header.setup.clone(),
        server: facts.server.map(|server| match &facts.header.middlebox {
            None => format!("{} {}", server.kind, server.version),
            Some(middlebox) => format!("{} {} through {}", server.kind, server.version, middlebox.through),
        }),
        budget: history.header.budget.time_to_recover,
        verdict: kind,
        doubts,
        unmet,
        checks: checks.into_iter().collect(),
        measures: measures::measure(&facts),
        evidence: facts.evidence_summary(),
    }
}

/// One check: its file exports it as `SPEC`.
struct CheckSpec {
    check: Check,
    black_box: BlackBox,
    run: fn(&Facts) -> CheckResult,
}

/// Whether a check can judge a black-box application, of which only the traffic is observed.
enum BlackBox {
    Applies,
    /// The traffic does not show what the check needs; the string is the reason.
    NotSeen(&'static str),
}

/// Every check, in the order of reports. A variant of [`Check`] without a row does not compile.
const CHECKS: [CheckSpec; Check::ALL.len()] = [
    recovered::SPEC,
    full_capacity::SPEC,
    hung_operation::SPEC,
    deadline::SPEC,
    undisturbed::SPEC,
    lost_write::SPEC,
    duplicated_write::SPEC,
    stale_read::SPEC,
    subscription::SPEC,
    reconnect_storm::SPEC,
    connection_leak::SPEC,
    error_surface::SPEC,
    throughput::SPEC,
    process::SPEC,
];

/// Every check, in the order of reports.
pub fn checks() -> impl Iterator<Item = Check> {
    CHECKS.iter().map(|spec| spec.check)
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
