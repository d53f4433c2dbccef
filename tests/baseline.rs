//! Tests the power of a comparison with a baseline at ten repeats: it detects a client that recovers two seconds
//! later, and one that fails a check more often than chance explains; in twenty comparisons of a client with itself
//! it detects nothing. Runs are simulated with different seeds, so that recovery times vary by chance.
#![cfg(all(feature = "report", feature = "simulation"))]

use pgsquall::model::seed::Seed;
use pgsquall::report::Report;
use pgsquall::report::baseline::{USUAL_TOLERANCE, compare};
use pgsquall::report::comparison::ChangeKind;
use pgsquall::report::model::{Ending, Entry, FORMAT, ScenarioInfo};
use pgsquall::scenario::Scenario;
use pgsquall::simulation::Simulation;

const REPEATS: u32 = 10;

/// The number of comparisons of an unchanged client.
const COMPARISONS: u64 = 20;

/// Simulates ten repeats of a client under the name `mine`. The first `failing` use a client that never recovers.
fn run(client: &str, failing: u32, scenario: &str, seed: u64) -> Report {
    let entry = |repeat: u32| {
        let actual = if repeat < failing { "never-reconnects" } else { client };
        let simulation = Simulation::scenario(scenario).unwrap().client_named(actual).unwrap();
        let run = simulation.seed(Seed(seed)).repeat(repeat, REPEATS).run().unwrap();
        match repeat < failing {
            true => assert!(run.has_failed(), "{run}"),
            false => run.assert_pass(),
        }
        Entry {
            index: repeat,
            client: "mine".to_owned(),
            scenario: scenario.to_owned(),
            repeat,
            repeats: REPEATS,
            folder: None,
            took: None,
            ending: Ending::Judged { verdict: Box::new(run.verdict) },
        }
    };
    Report {
        format: FORMAT,
        pgsquall: String::new(),
        began: String::new(),
        seed: Seed(seed),
        scenarios: vec![ScenarioInfo::from(&Scenario::built_in(scenario).unwrap())],
        runs: (0..REPEATS).map(entry).collect(),
        shards: None,
        comparison: None,
    }
}

fn changed(before: &Report, now: &Report) -> (ChangeKind, String) {
    let change = compare(now, "base", before, USUAL_TOLERANCE).changes.remove(0);
    (change.kind, change.what)
}

#[test]
fn slowdown_is_detected_and_noise_is_not() {
    // The fault is instantaneous, so that the time to recover depends on the client alone.
    let scenario = "connection-reset";
    let baseline = run("reference", 0, scenario, 0);
    for seed in 1..=COMPARISONS {
        let (kind, what) = changed(&baseline, &run("reference", 0, scenario, seed));
        assert_eq!(kind, ChangeKind::Same, "seed {seed}: {what}");
    }
    let (kind, what) = changed(&baseline, &run("dawdles", 0, scenario, 1));
    assert_eq!(kind, ChangeKind::Worse, "{what}");
}

#[test]
fn failure_rate_is_detected_and_noise_is_not() {
    let scenario = "connection-reset";
    let baseline = run("reference", 1, scenario, 0);
    for (failing, expected) in [(2, ChangeKind::Same), (8, ChangeKind::Worse)] {
        let (kind, what) = changed(&baseline, &run("reference", failing, scenario, 1));
        assert_eq!(kind, expected, "{failing} of {REPEATS}: {what}");
    }
    let (kind, what) = changed(&run("reference", 8, scenario, 0), &run("reference", 0, scenario, 1));
    assert_eq!(kind, ChangeKind::Better, "{what}");
    let (kind, what) = changed(&run("reference", 0, scenario, 0), &run("reference", 1, scenario, 1));
    assert_eq!(kind, ChangeKind::Worse, "where there was none, one is enough: {what}");
}
