//! Runs without a verdict, grouped by reason.

use super::super::model::{Ending, Report};

/// Runs without a verdict that share a reason.
pub(super) struct Omitted {
    /// `skipped`, `not carried out`, `stopped`.
    pub state: &'static str,
    pub reason: String,
    pub runs: Vec<Runs>,
}

/// Repeats of one client in one scenario.
pub(super) struct Runs {
    /// The scenario, with the client if there are several.
    name: String,
    count: u32,
    of: u32,
}

impl Runs {
    /// The name, with the number of repeats if not all of them are omitted.
    pub fn words(&self) -> String {
        let Runs { name, count, of } = self;
        if count == of { name.clone() } else { format!("{name} ({count} of {of})") }
    }
}

impl Omitted {
    pub fn from_report(report: &Report) -> Vec<Omitted> {
        let several = report.clients().len() > 1;
        let mut found: Vec<Omitted> = Vec::new();
        for entry in &report.runs {
            let (state, reason) = match &entry.ending {
                Ending::Judged { .. } => continue,
                Ending::Skipped { reason } => ("skipped", reason.as_str()),
                Ending::NotCarriedOut { error } => ("not carried out", error.as_str()),
                Ending::Stopped => ("stopped", "The run was stopped before these ended."),
            };
            let name =
                if several { format!("{} with {}", entry.scenario, entry.client) } else { entry.scenario.clone() };
            let place = found.iter().position(|omitted| omitted.state == state && omitted.reason == reason);
            let place = place.unwrap_or_else(|| {
                found.push(Omitted { state, reason: reason.to_owned(), runs: Vec::new() });
                found.len() - 1
            });
            let runs = &mut found[place].runs;
            match runs.iter_mut().find(|runs| runs.name == name) {
                Some(runs) => runs.count += 1,
                None => runs.push(Runs { name, count: 1, of: entry.repeats.max(1) }),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::sample;
    use super::*;
    use crate::judge::{Recovery, VerdictKind};

    #[test]
    fn omitted_repeats_are_counted_by_reason() {
        let recovered = (VerdictKind::Pass, Recovery::Recovered { after: Duration::from_millis(40) });
        let mut report = sample::repeated(&[recovered; 4]);
        let listed = |report: &Report| -> Vec<String> {
            let words = |omitted: &Omitted| omitted.runs.iter().map(Runs::words).collect::<Vec<_>>().join(", ");
            Omitted::from_report(report)
                .iter()
                .map(|omitted| format!("{}: {}", omitted.state, words(omitted)))
                .collect()
        };
        assert!(listed(&report).is_empty());
        report.runs[1].ending = Ending::Stopped;
        report.runs[3].ending = Ending::Stopped;
        assert_eq!(listed(&report), ["stopped: restart-fast (2 of 4)"]);
        report.runs.iter_mut().for_each(|entry| entry.ending = Ending::Skipped { reason: "no root".into() });
        assert_eq!(listed(&report), ["skipped: restart-fast"]);
    }
}
