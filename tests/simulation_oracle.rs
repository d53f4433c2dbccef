//! Tests the verdicts in virtual time: the reference client passes every scenario that can be simulated, and each
//! planted defect fails by the check that `ci/oracle.toml` names, as on real servers (`tests/oracle.rs`,
//! `ci/oracle.sh`).
#![cfg(feature = "simulation")]

#[path = "common/oracle_table.rs"]
mod oracle_table;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use oracle_table::Table;
use pgsquall::judge::VerdictKind;
use pgsquall::model::seed::Seed;
use pgsquall::scenario::{Scenario, catalogue};
use pgsquall::simulation::{Simulation, check_simulable};
use pgsquall::{Error, Run};

/// The budget of clients with a defect, as in `ci/oracle.sh`.
const BUDGET: Duration = Duration::from_secs(5);

fn can_be_simulated(scenario: &str) -> bool {
    check_simulable(&Scenario::built_in(scenario).unwrap()).is_ok()
}

fn simulate(scenario: &str, client: &str, seed: u64, budget: Option<Duration>) -> Result<Run, Error> {
    let simulation = Simulation::scenario(scenario).unwrap().client_named(client).unwrap().seed(Seed(seed));
    match budget {
        Some(budget) => simulation.budget(budget).run(),
        None => simulation.run(),
    }
}

/// Calls `wrong` for every row, on one thread per processor; panics with all texts that it returns.
fn all_are_well<T: Sync>(rows: &[T], wrong: impl Fn(&T) -> Option<String> + Sync) {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(one) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    found.lock().unwrap().extend(wrong(one));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    assert!(found.is_empty(), "{} of {}:\n{}", found.len(), rows.len(), found.join("\n"));
}

fn passes(client: &str, scenario: &str, seed: u64) -> Option<String> {
    match simulate(scenario, client, seed, None) {
        Ok(run) if run.verdict.verdict == VerdictKind::Pass => None,
        Ok(run) => Some(format!("{client} must pass {scenario}, seed {seed}: {run}")),
        Err(error) => Some(format!("{client} must pass {scenario}, seed {seed}: {error}")),
    }
}

#[test]
fn the_reference_passes_each_scenario_that_can_be_simulated() {
    let scenarios: Vec<_> = catalogue().into_iter().filter(|scenario| check_simulable(scenario).is_ok()).collect();
    assert!(scenarios.len() >= 89, "only {} can be simulated", scenarios.len());
    let rows: Vec<_> = scenarios.iter().flat_map(|scenario| [1, 2].map(|seed| (&scenario.name, seed))).collect();
    all_are_well(&rows, |(scenario, seed)| passes("reference", scenario, *seed));
}

#[test]
fn the_reference_passes_each_scenario_of_certificates() {
    let scenarios: Vec<_> = catalogue().into_iter().filter(|scenario| scenario.group == "certificate").collect();
    assert_eq!(scenarios.len(), 9);
    let rows: Vec<_> = scenarios.iter().flat_map(|scenario| (1..=5).map(|seed| (&scenario.name, seed))).collect();
    all_are_well(&rows, |(scenario, seed)| passes("reference", scenario, *seed));
}

#[test]
fn clients_without_a_defect_pass_the_scenarios_of_their_rows() {
    let table = Table::read();
    let rows = table.passes.iter().flat_map(|(client, passed)| passed.iter().map(move |name| (client, name)));
    let rows: Vec<_> = rows.filter(|(_, scenario)| can_be_simulated(scenario)).collect();
    assert!(!rows.is_empty());
    all_are_well(&rows, |(client, scenario)| passes(client, scenario, 1));
}

#[test]
fn each_planted_defect_fails_by_the_check_of_its_row() {
    let table = Table::read();
    let rows = table.fails.iter().flat_map(|(client, fails)| {
        fails.iter().map(move |(scenario, check)| (client.as_str(), scenario.as_str(), *check))
    });
    let (rows, skipped): (Vec<_>, Vec<_>) = rows.partition(|(_, scenario, _)| can_be_simulated(scenario));
    println!("{} simulated, {} skipped: they cannot be simulated", rows.len(), skipped.len());
    assert!(rows.len() >= 103, "only {} can be simulated", rows.len());
    all_are_well(&rows, |(client, scenario, check)| match simulate(scenario, client, 1, Some(BUDGET)) {
        Ok(run) if run.verdict.verdict == VerdictKind::Fail && run.verdict.fails(*check) => None,
        Ok(run) => Some(format!("{client} must fail {scenario} by {check}: {run}")),
        Err(error) => Some(format!("{client} must fail {scenario} by {check}: {error}")),
    });
}

#[test]
fn each_nightly_row_can_be_simulated() {
    for scenario in Table::read().nightly.into_values().flatten() {
        assert!(can_be_simulated(&scenario), "{scenario} must run for real at each commit");
    }
}

#[test]
fn connection_ids_are_unique_and_reproducible() {
    let opened = |seed| {
        let simulation = Simulation::scenario("failover-multi-host").unwrap().client_named("reference").unwrap();
        let history = simulation.seed(Seed(seed)).record().unwrap();
        let events = history.events.iter().map(|event| serde_json::to_value(event).unwrap());
        let opened = events.filter(|event| event["connection"]["change"] == "opened");
        opened.map(|event| (event["connection"]["at_us"].as_u64(), event["connection"]["id"].as_u64())).collect()
    };
    let once: Vec<_> = opened(3);
    let numbers: BTreeSet<_> = once.iter().map(|(_, number)| number).collect();
    // Four connections to the first address, and at least four to the other.
    assert!(once.len() >= 8 && numbers.len() == once.len(), "{once:?}");
    assert_eq!(once, opened(3));
    assert_ne!(once, opened(4));
}
