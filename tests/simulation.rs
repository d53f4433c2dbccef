//! Tests the simulation plane through the public API: the same seed gives the same history, byte for byte, in this
//! process and in others; errors say what cannot be simulated.
#![cfg(feature = "simulation")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pgsquall::judge::Recovery;
use pgsquall::model::history::History;
use pgsquall::model::seed::Seed;
use pgsquall::simulation::{Simulation, schedule_of};

/// Scenarios with much randomness: jitter, lost packets, the moment of the fault, the keys of TLS.
const CHANCY: [&str; 10] = [
    "packet-loss",
    "slow-network",
    "connection-flapping",
    "restart-immediate",
    "idle-drop",
    "listen-reset",
    "client-certificate-expired",
    "server-certificate-expired",
    "client-certificate-revoked",
    "certificate-authority-changed",
];

fn lines(history: &History) -> Vec<String> {
    history.events.iter().map(|event| serde_json::to_string(event).unwrap()).collect()
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for scenario in CHANCY {
        let record = |seed| {
            let simulation = Simulation::scenario(scenario).unwrap().client_named("reference").unwrap();
            lines(&simulation.seed(Seed(seed)).record().unwrap())
        };
        let (first, again, other) = (record(7), record(7), record(8));
        let differs = first.iter().zip(&again).position(|(one, two)| one != two);
        assert_eq!(differs.map(|at| (&first[at], &again[at])), None, "{scenario}");
        assert_eq!(first.len(), again.len(), "{scenario}");
        assert_ne!(first, other, "{scenario}: a seed decides something");
    }
}

#[test]
fn every_repeat_has_its_own_randomness() {
    let recovered = |repeat| {
        let simulation = Simulation::scenario("stall").unwrap().client_named("reference").unwrap();
        match simulation.repeat(repeat, 5).run().unwrap().verdict.measures.time_to_recover {
            Recovery::Recovered { after } => after,
            other => panic!("{other:?}"),
        }
    };
    let times: Vec<_> = (0..5).map(recovered).collect();
    // The sweep of the fault's moment alone would spread the times by some 50 ms.
    let spread = *times.iter().max().unwrap() - *times.iter().min().unwrap();
    assert!(spread > Duration::from_millis(150), "the client's jitter is drawn anew: {times:?}");
}

#[test]
fn client_starts_once_the_preceding_fault_is_in_force() {
    let simulation = Simulation::scenario("wrong-port").unwrap().client_named("reference").unwrap();
    let noticed = simulation.run().unwrap().verdict.measures.time_to_detect.unwrap();
    // The first operation counts as slow after one second.
    assert!(noticed < Duration::from_millis(1100), "{noticed:?}");
}

/// Runs `pgsquall sim` in another process; returns the paths and texts of the histories that it stores.
fn kept(folder: &Path, arguments: &[&str]) -> Vec<(String, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgsquall"));
    let status = command.arg("sim").args(arguments).arg("--out").arg(folder).output().unwrap().status;
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let history = entry.unwrap().path().join("history.jsonl");
        if history.is_file() {
            found.push((
                history.strip_prefix(folder).unwrap().display().to_string(),
                fs::read_to_string(history).unwrap(),
            ));
        }
    }
    found.sort();
    found
}

#[test]
fn the_same_seed_gives_the_same_history_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let scenarios = |name: &str| {
        let arguments: Vec<_> = CHANCY.into_iter().chain(["--seed", "11"]).collect();
        kept(&folder.path().join(name), &arguments)
    };
    let (one, two) = (scenarios("one"), scenarios("two"));
    assert_eq!(one.len(), CHANCY.len());
    assert!(one == two, "the histories of two processes differ");
    let search = |name: &str| kept(&folder.path().join(name), &["--client", "never-reconnects", "--seeds", "50"]);
    let (one, two) = (search("found"), search("again"));
    assert_eq!(one.len(), 1, "the first schedule that it does not survive is kept");
    assert!(one == two, "two searches find different things");
}

#[test]
fn schedules_have_reproducible_histories() {
    for seed in 0..25 {
        let record = || {
            let simulation = Simulation::schedule(&schedule_of(Seed(seed))).unwrap();
            lines(&simulation.client_named("reference").unwrap().seed(Seed(seed)).record().unwrap())
        };
        assert!(record() == record(), "seed {seed}");
    }
}

#[tokio::test]
async fn simulation_runs_inside_a_runtime() {
    Simulation::scenario("connection-reset").unwrap().client_named("reference").unwrap().run().unwrap().assert_pass();
}

#[test]
fn unsupported_scenarios_are_errors() {
    let reason = |scenario: &str| {
        let simulation = Simulation::scenario(scenario).unwrap().client_named("reference").unwrap();
        simulation.run().unwrap_err().to_string()
    };
    assert!(reason("pgbouncer-idle").contains("PgBouncer"));
    assert!(reason("dns-failure").contains("names"));
    let error = Simulation::scenario("stall").unwrap().client_named("psycopg").err().unwrap().to_string();
    assert!(error.contains("Rust"), "{error}");
    assert!(Simulation::scenario("stall").unwrap().run().unwrap_err().to_string().contains("client"));
}
