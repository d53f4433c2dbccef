//! Built-in clients in their own process, which `pgsquall adapter NAME` runs.

use super::common::{BINARY, Output, Workspace, is_root, said};

/// A scenario in which all packets are lost for three seconds.
const BLACKHOLE: &str = r#"
schema = 1
title = "A short blackhole"
[budget]
time_to_recover = "10s"
stability = "1s"
[[fault]]
kind = "blackhole"
at = "500ms"
for = "3s"
"#;

/// Runs a scenario with a built-in client as an adapter process.
fn as_process(name: &str, scenario: &str) -> (Workspace, Output) {
    let place = Workspace::new();
    place.write("blackhole.toml", BLACKHOLE);
    let client = format!("'{BINARY}' adapter {name}");
    let words = ["run", scenario, "--client", &client, "--server", "local", "--budget", "8s", "--out", "out"];
    let said = place.run(&[words.as_slice(), &["--report", "json=report.json"]].concat());
    (place, said)
}

#[test]
fn reference_process_passes() {
    let (place, said) = as_process("reference", "connection-reset");
    assert_eq!(place.report("report.json").endings(), ["connection-reset pass"], "{said}");
    said.succeeds();
    let history = place.read("out/connection-reset/history.jsonl");
    assert!(history.contains("\"name\":\"reference\"") && history.contains("\"timeout_us\":9000000"));
    assert_eq!(place.read("out/connection-reset/client.stderr"), "", "it has nothing to complain of");
}

#[test]
fn defective_process_fails() {
    let (place, said) = as_process("never-reconnects", "connection-reset");
    assert_eq!(said.code, Some(1), "{said}");
    assert_eq!(place.verdict("out/connection-reset").check("recovered"), "fail", "{said}");
}

#[test]
fn panic_ends_the_process() {
    let (place, said) = as_process("panics", "connection-reset");
    assert_eq!(said.code, Some(1), "{said}");
    let found = place.verdict("out/connection-reset").findings("process");
    assert!(found.contains("exit status 70"), "{found}");
    assert!(place.read("out/connection-reset/client.stderr").contains("connection"));
}

#[test]
fn invalid_adapter_arguments_are_refused() {
    let place = Workspace::new();
    place.run(&["adapter", "nonsense"]).refuses(64, &["\"nonsense\"", "reference"]);
    place.run(&["adapter", "reference"]).refuses(69, &["PGPORT"]);
}

#[test]
fn reference_process_passes_blackhole_as_root() {
    if !is_root() {
        println!("skipped: needs root; the next test is for other users");
        return;
    }
    let (place, said) = as_process("reference", "blackhole.toml");
    let report = place.report("report.json");
    if !report.lacks_kernel_plane() {
        assert_eq!(report.endings(), ["blackhole pass"], "{said}");
        assert!(place.read("out/blackhole/history.jsonl").contains("\"plane\":\"kernel\""));
    }
}

#[test]
fn reference_becomes_a_process_without_root() {
    let place = Workspace::new();
    place.write("short.toml", BLACKHOLE);
    let mut command = place.as_user("nobody", None);
    command.args(["run", "short.toml", "--client", "reference", "--server", "local", "--out", "out"]);
    command.args(["--report", "json=report.json"]);
    let said = said(command);
    let report = place.report("report.json");
    if !report.lacks_kernel_plane() {
        assert_eq!(report.endings(), ["short pass"], "{said}");
        let history = place.read("out/short/history.jsonl");
        assert!(history.contains("\"client\":\"reference\"") && history.contains("\"plane\":\"kernel\""));
        assert!(place.holds("out/short/client.stderr"), "a client of this process writes none");
    }
}
