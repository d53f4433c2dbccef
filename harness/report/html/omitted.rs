//! What has no verdict, by the reason.

use super::super::model::{Ending, Report};

/// Runs that have no verdict for one reason.
pub(super) struct Omitted {
    /// `skipped`, `not carried out`, `stopped`.
    pub state: &'static str,
    pub reason: String,
    /// Scenarios, with the clients where there are several.
    pub runs: Vec<String>,
}

impl Omitted {
    pub fn of(report: &Report) -> Vec<Omitted> {
        let several = report.clients().len() > 1;
        let mut found: Vec<Omitted> = Vec::new();
        for entry in &report.runs {
            let (state, reason) = match &entry.ending {
                Ending::Judged { .. } => continue,
                Ending::Skipped { reason } => ("skipped", reason.as_str()),
                Ending::NotCarriedOut { error } => ("not carried out", error.as_str()),
                Ending::Stopped => ("stopped", "The run was stopped before these were over."),
            };
            let name = if several { format!("{} with {}", entry.name(), entry.client) } else { entry.name() };
            match found.iter_mut().find(|omitted| omitted.state == state && omitted.reason == reason) {
                Some(omitted) => omitted.runs.push(name),
                None => found.push(Omitted { state, reason: reason.to_owned(), runs: vec![name] }),
            }
        }
        found
    }
}
