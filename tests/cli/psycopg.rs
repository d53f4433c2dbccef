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

/// The command line of the adapter, where there is what it needs.
pub fn client() -> Option<String> {
    let python = python()?;
    let python = std::fs::canonicalize(&python).map_or(python.clone(), |_| {
        // Not resolved: a venv is known by the path of its link.
        std::path::absolute(&python).unwrap().display().to_string()
    });
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/adapters/python/psycopg/adapter.py");
    Some(format!("'{python}' '{}'", adapter.display()))
}

#[test]
fn psycopg_passes() {
    let Some(client) = client() else { return };
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

#[test]
fn psycopg_listens_again_after_a_restart_and_says_so() {
    let Some(client) = client() else { return };
    let place = Place::new();
    place.write(
        "listening.toml",
        "schema = 1\ntitle = \"t\"\n[load]\nlisten = true\n\
         [[fault]]\nkind = \"restart\"\nmode = \"fast\"\nat = \"1s\"\nfor = \"1s\"\n",
    );
    let said = place.run(&["run", "listening.toml", "--client", &client, "--budget", "20s", "-v", "--out", "out"]);
    assert!(said.succeeds().stdout.contains("1 pass"), "{said}");
    // Whether something was sent while it was away is chance: there is no server to send it.
    assert!(place.read("out/listening/history.jsonl").contains("{\"gap\":{"), "{said}");
    assert!(place.read("out/listening/client.stderr").contains("not listening: "));
}
