//! Small reports for tests of the formats.

use std::time::Duration;

use super::model::{Ending, Entry, FORMAT, Report, ScenarioInfo};
use crate::judge::samples::{HIT, Sample, refused};
use crate::judge::{Check, CheckResult};
use crate::model::seed::Seed;

/// A report of these runs, with their scenarios in the order in which they first occur.
pub(super) fn report(runs: Vec<Entry>) -> Report {
    let mut scenarios: Vec<ScenarioInfo> = Vec::new();
    for entry in &runs {
        if scenarios.iter().all(|scenario| scenario.name != entry.scenario) {
            let (group, cause) = ("connection".to_owned(), "Network instability".to_owned());
            let title = format!("The title of {}", entry.scenario);
            scenarios.push(ScenarioInfo {
                name: entry.scenario.clone(),
                title,
                group,
                cause,
                why: "Does it?".to_owned(),
            });
        }
    }
    let runs = (0..).zip(runs).map(|(index, entry)| Entry { index, ..entry }).collect();
    let began = "2026-01-01T00:00:00Z".to_owned();
    let pgsquall = "0.0.0".to_owned();
    Report { format: FORMAT, pgsquall, began, seed: Seed(7), scenarios, runs, shards: None, comparison: None }
}

/// A run with this ending.
pub(super) fn entry(client: &str, scenario: &str, ending: Ending) -> Entry {
    let folder = Some(scenario.into());
    let (client, scenario) = (client.to_owned(), scenario.to_owned());
    let took = Some(Duration::from_millis(12_345));
    Entry { index: 0, client, scenario, repeat: 0, repeats: 1, folder, took, ending }
}

pub(super) fn skipped(client: &str, scenario: &str) -> Entry {
    Entry { folder: None, ..entry(client, scenario, Ending::Skipped { reason: "it cannot".to_owned() }) }
}

pub(super) fn stopped(client: &str, scenario: &str) -> Entry {
    Entry { took: None, ..entry(client, scenario, Ending::Stopped) }
}

/// The checks that [`judged`] keeps if they pass.
const PASSED: [Check; 3] = [Check::Recovered, Check::LostWrite, Check::Throughput];

/// A run with the verdict on this history, without the passed checks that are not in [`PASSED`].
pub(super) fn judged(client: &str, scenario: &str, sample: &Sample) -> Entry {
    let mut sample = sample.clone();
    sample.header.setup.client = client.to_owned();
    sample.header.setup.scenario = scenario.to_owned();
    let mut verdict = sample.verdict();
    // A new check that passes changes no snapshot.
    verdict.checks.retain(|check, result| *result != CheckResult::Pass || PASSED.contains(check));
    entry(client, scenario, Ending::Judged { verdict: Box::new(verdict) })
}

/// A history whose operations all fail from the fault on.
pub(super) fn lost() -> Sample {
    let mut sample = Sample::healthy();
    sample.fail(|op| op.began >= HIT, &refused());
    sample
}

/// A history with a doubt.
pub(super) fn doubtful() -> Sample {
    let mut sample = Sample::healthy();
    sample.doubts.push("the machine slept | <for> a while".to_owned());
    sample
}

/// One client in a scenario for each ending, the last of them with repeats.
pub(super) fn every_ending() -> Report {
    let client = "python3 -c '<my client>' | tee log";
    let error = "there is no server".to_owned();
    let mut runs = vec![
        judged(client, "restart-fast", &Sample::healthy()),
        judged(client, "stall", &lost()),
        judged(client, "blackhole", &doubtful()),
        skipped(client, "dns-stale"),
        entry(client, "disk-full", Ending::NotCarriedOut { error }),
        stopped(client, "wal-full"),
    ];
    for (repeat, sample) in [(0, Sample::healthy()), (1, lost()), (2, Sample::healthy())] {
        runs.push(Entry { repeat, repeats: 3, ..judged(client, "idle-drop", &sample) });
    }
    report(runs)
}

pub(super) fn two_clients() -> Report {
    report(vec![
        judged("one", "stall", &Sample::healthy()),
        judged("one", "blackhole", &lost()),
        judged("two", "stall", &doubtful()),
        skipped("two", "blackhole"),
    ])
}
