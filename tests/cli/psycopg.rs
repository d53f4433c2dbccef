//! The shipped adapter `psycopg:tuned` passes shipped scenarios.

use std::process::Command;

use super::common::Workspace;

/// Returns the name of the adapter, with the settings for recovery; `None`, with a message, if the first `python3` on
/// PATH lacks psycopg.
pub fn client() -> Option<String> {
    let found = Command::new("python3").args(["-c", "import psycopg"]).output().is_ok_and(|out| out.status.success());
    assert!(found || std::env::var_os("PGSQUALL_TEST_ADAPTERS").is_none(), "python3 cannot import psycopg");
    if !found {
        println!("skipped: python3 has no psycopg");
    }
    found.then(|| "psycopg:tuned".to_owned())
}

#[test]
fn psycopg_passes() {
    let Some(client) = client() else { return };
    let workspace = Workspace::new();
    let asked = ["connection-reset", "restart-fast", "wrong-password", "connections-exhausted"];
    let words = [&["run"], asked.as_slice(), &["--client", &client, "--budget", "20s", "--out", "out"]].concat();
    let output = workspace.run(&words);
    assert_eq!(workspace.report("out").endings(), asked.map(|scenario| format!("{scenario} pass")), "{output}");
    for scenario in asked {
        let history = workspace.read(&format!("out/{scenario}/history.jsonl"));
        assert!(history.contains("\"name\":\"psycopg\""), "{scenario}");
    }
}

#[test]
fn psycopg_reports_gap_after_restart() {
    let Some(client) = client() else { return };
    let workspace = Workspace::new();
    workspace.write(
        "listening.toml",
        "schema = 1\ntitle = \"t\"\n[load]\nlisten = true\n\
         [[fault]]\nkind = \"restart\"\nmode = \"fast\"\nat = \"1s\"\nfor = \"1s\"\n",
    );
    let output =
        workspace.run(&["run", "listening.toml", "--client", &client, "--budget", "20s", "-v", "--out", "out"]);
    assert_eq!(workspace.report("out").endings(), ["listening pass"], "{output}");
    // It need not miss a notification: without a server none is sent. But it reports the gap in any case.
    assert!(workspace.read("out/listening/history.jsonl").contains("{\"gap\":{"), "{output}");
}
