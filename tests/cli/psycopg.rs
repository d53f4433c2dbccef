//! The adapter for psycopg, which is also the template for others, against the shipped scenarios.

use std::path::Path;
use std::process::Command;

use super::common::Place;

/// A Python that has psycopg.
fn python() -> Option<String> {
    let named = std::env::var("PGSQUALL_TEST_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let found = Command::new(&python).args(["-c", "import psycopg"]).output().is_ok_and(|out| out.status.success());
    assert!(found || named.is_none(), "PGSQUALL_TEST_PYTHON={python} cannot import psycopg");
    if !found {
        println!("skipped: python3 has no psycopg; name one that has in PGSQUALL_TEST_PYTHON");
    }
    found.then_some(python)
}

#[test]
fn psycopg_passes() {
    let Some(python) = python() else { return };
    let python = std::fs::canonicalize(&python).map_or(python.clone(), |_| {
        // Not resolved: a venv is known by the path of its link.
        std::path::absolute(&python).unwrap().display().to_string()
    });
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/adapters/python/psycopg/adapter.py");
    let client = format!("'{python}' '{}'", adapter.display());
    let place = Place::new();
    let asked = ["connection-reset", "restart-fast", "wrong-password", "connections-exhausted"];
    let words = [&["run"], asked.as_slice(), &["--client", &client, "--budget", "20s", "--out", "out"]].concat();
    let said = place.run(&words);
    assert!(said.succeeds().stdout.contains("4 runs: 4 pass, 0 fail, 0 unknown"), "{said}");
    for scenario in asked {
        let history = place.read(&format!("out/{scenario}/history.jsonl"));
        assert!(history.contains("\"name\":\"psycopg\""), "{scenario}");
    }
}
