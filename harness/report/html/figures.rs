//! The figures, checks and evidence of one run.

use super::super::model::Entry;
use super::super::text::{errors, operations, optional, process, recovery, subscription, undetected};
use crate::judge::{CheckResult, Verdict};
use crate::model::time::show;

/// The evidence of one fault.
pub(super) struct Proof {
    pub fault: String,
    /// Count, what was counted, and whether it is decisive.
    pub found: Vec<(u64, String, bool)>,
}

/// Every figure with its name.
pub(super) fn figures(verdict: &Verdict, entry: &Entry) -> Vec<(&'static str, String)> {
    let measures = &verdict.measures;
    let counted = if verdict.setup.application.is_some() { " (statements and sign-ins at the gateway)" } else { "" };
    let slowest = measures.worst_op.as_ref().map(|op| {
        let end = if op.ended { "" } else { " and was still open" };
        format!("{} {} took {}{end}", op.kind, op.id, show(op.took))
    });
    let mut all = vec![
        ("noticed after", optional(measures.time_to_detect, undetected(verdict))),
        ("first success after", optional(measures.time_to_first_success, "never")),
        ("recovered after", recovery(&measures.time_to_recover)),
        ("budget", show(verdict.budget)),
        ("operations", operations(verdict) + counted),
        ("errors", errors(verdict)),
        ("slowest operation", slowest.unwrap_or_else(|| "none".to_owned())),
        (
            "connections",
            format!(
                "{} opened, at most {} in a second",
                measures.connections_opened, measures.connections_per_second_peak
            ),
        ),
        ("gateway overhead", optional(measures.gateway_overhead, "not measured")),
    ];
    all.extend(measures.listening.as_ref().map(|listening| ("subscription", subscription(listening))));
    all.extend(measures.restarts.as_ref().map(|restarts| ("process", process(restarts))));
    all.push(("server", verdict.server.clone().unwrap_or_else(|| "unknown".to_owned())));
    all.push(("faults by", format!("{} plane", verdict.setup.plane)));
    all.extend(entry.took.map(|took| ("duration of the run", show(took))));
    all
}

/// The checks by their result, worst first, each with its reason if there is one.
pub(super) fn checks(verdict: &Verdict) -> Vec<(&'static str, Vec<(String, String)>)> {
    let mut results = ["fail", "unknown", "pass", "not applicable"].map(|word| (word, Vec::<(String, String)>::new()));
    for (check, result) in &verdict.checks {
        let (rank, reason) = match result {
            // The section lists the findings above.
            CheckResult::Fail { .. } => (0, String::new()),
            CheckResult::Unknown { reason } => (1, reason.clone()),
            CheckResult::Pass => (2, String::new()),
            CheckResult::NotApplicable { reason } => (3, reason.clone()),
        };
        let (_, rows) = &mut results[rank];
        match rows.iter_mut().find(|(_, other)| *other == reason) {
            Some((checks, _)) => *checks += &format!(", {check}"),
            None => rows.push((check.to_string(), reason)),
        }
    }
    results.into_iter().filter(|(_, rows)| !rows.is_empty()).collect()
}

/// The evidence of each fault; supporting evidence only if it was counted at all.
pub(super) fn proofs(verdict: &Verdict) -> Vec<Proof> {
    let proof = |summary: &crate::judge::EvidenceSummary| Proof {
        fault: summary.fault.clone(),
        found: summary
            .found
            .iter()
            .filter(|found| found.decisive || found.count > 0)
            .map(|found| (found.count, found.what.clone(), found.decisive))
            .collect(),
    };
    verdict.evidence.iter().map(proof).collect()
}
