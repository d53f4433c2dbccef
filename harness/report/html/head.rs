//! The head of the page: the overall result, and the facts about the report.

use super::super::model::{Entry, Report};
use crate::judge::VerdictKind;

/// The head of the page.
pub(super) struct Head {
    /// The worst result, in one sentence.
    pub headline: String,
    /// The title of the browser's tab.
    pub title: String,
    /// Endings: word, number of runs, CSS class.
    pub counts: Vec<(&'static str, usize, &'static str)>,
    /// Clients, servers, plane, seed, date and version.
    pub facts: Vec<(&'static str, String)>,
    /// Why the report is incomplete; empty if it is complete.
    pub warnings: Vec<String>,
}

impl Head {
    pub fn from_report(report: &Report) -> Head {
        let counts = counts(report);
        let present: Vec<_> = counts.iter().filter(|(_, count, _)| *count > 0).collect();
        let present: Vec<_> = present.into_iter().map(|(word, count, _)| format!("{count} {word}")).collect();
        Head {
            headline: headline(report),
            title: format!("pgsquall: {}", present.join(", ")),
            counts,
            facts: facts(report),
            warnings: report.warnings(),
        }
    }
}

/// The endings with their numbers of runs and CSS classes, worst first.
fn counts(report: &Report) -> Vec<(&'static str, usize, &'static str)> {
    let [pass, fail, unknown, without @ ..] = report.endings();
    let judged = [fail, unknown, pass].map(|(word, count)| (word, count, word));
    judged.into_iter().chain(without.map(|(word, count)| (word, count, "none"))).collect()
}

fn headline(report: &Report) -> String {
    let [fail, unknown, pass] =
        [VerdictKind::Fail, VerdictKind::Unknown, VerdictKind::Pass].map(|kind| report.count(kind));
    let judged = fail + unknown + pass;
    // The headline counts only runs that have a verdict.
    let kind = if judged == report.runs.len() { "" } else { "judged " };
    let runs = format!("{judged} {kind}{}", if judged == 1 { "run" } else { "runs" });
    let ends = |count: usize, one: &str, several: &str| {
        format!("{count} of {runs} {}", if count == 1 { one } else { several })
    };
    match (fail, unknown) {
        _ if judged == 0 => "No run has a verdict".to_owned(),
        (0, 0) if judged == 1 => format!("The {kind}run passes"),
        (0, 0) => format!("All {runs} pass"),
        (0, unknown) => format!("{}, none fails", ends(unknown, "is unknown", "are unknown")),
        (fail, _) => ends(fail, "fails", "fail"),
    }
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let clients = report.clients();
    let verdicts = || report.runs.iter().filter_map(Entry::verdict);
    let servers = once(verdicts().map(|verdict| verdict.server.clone().unwrap_or_else(|| "unknown".to_owned())));
    let planes = once(verdicts().map(|verdict| verdict.setup.plane.to_string()));
    vec![
        (if clients.len() == 1 { "client" } else { "clients" }, clients.join(", ")),
        (if servers.len() == 1 { "server" } else { "servers" }, servers.join(", ")),
        ("faults by", if planes.is_empty() { String::new() } else { format!("{} plane", planes.join(" and ")) }),
        ("seed", report.seed.to_string()),
        ("began", report.began.clone()),
        ("written by", format!("pgsquall {}", report.pgsquall)),
    ]
    .into_iter()
    .filter(|(_, fact)| !fact.is_empty())
    .collect()
}

/// Each text once, in the order of first occurrence.
fn once(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut found = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::sample;
    use super::*;
    use crate::judge::Recovery;
    use crate::report::model::Ending;

    #[test]
    fn headline_counts_only_judged_runs() {
        let recovery = Recovery::Recovered { after: Duration::from_millis(40) };
        let headline = |kinds: &[VerdictKind], stopped: bool| {
            let mut report = sample::repeated(&kinds.iter().map(|kind| (*kind, recovery)).collect::<Vec<_>>());
            if stopped {
                report.runs[0].ending = Ending::Stopped;
            }
            super::headline(&report)
        };
        use VerdictKind::{Fail, Pass, Unknown};
        assert_eq!(headline(&[Pass, Pass, Pass], false), "All 3 runs pass");
        assert_eq!(headline(&[Pass, Pass, Pass], true), "All 2 judged runs pass");
        assert_eq!(headline(&[Pass], false), "The run passes");
        assert_eq!(headline(&[Pass], true), "No run has a verdict");
        assert_eq!(headline(&[Pass, Unknown, Pass], false), "1 of 3 runs is unknown, none fails");
        assert_eq!(headline(&[Pass, Unknown, Fail], false), "1 of 3 runs fails");
        assert_eq!(headline(&[Pass, Unknown, Fail, Fail], true), "2 of 3 judged runs fail");
    }
}
