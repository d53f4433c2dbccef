//! Built-in clients in their own process, which `pgsquall adapter NAME` runs.

use super::common::{BINARY, Output, Workspace, is_root, output_of};

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
    let workspace = Workspace::new();
    workspace.write("blackhole.toml", BLACKHOLE);
    let client = format!("'{BINARY}' adapter {name}");
    let words = ["run", scenario, "--client", &client, "--server", "local", "--budget", "8s", "--out", "out"];
    let output = workspace.run(&[words.as_slice(), &["--report", "json=report.json"]].concat());
    (workspace, output)
}

#[test]
fn reference_process_passes() {
    let (workspace, output) = as_process("reference", "connection-reset");
    assert_eq!(workspace.report("report.json").endings(), ["connection-reset pass"], "{output}");
    output.succeeds();
    let history = workspace.read("out/connection-reset/history.jsonl");
    assert!(history.contains("\"name\":\"reference\"") && history.contains("\"timeout_us\":9000000"));
    assert_eq!(workspace.read("out/connection-reset/client.stderr"), "", "it has nothing to complain of");
}

#[test]
fn defective_process_fails() {
    let (workspace, output) = as_process("never-reconnects", "connection-reset");
    assert_eq!(output.code, Some(1), "{output}");
    assert_eq!(workspace.verdict("out/connection-reset").check("recovered"), "fail", "{output}");
}

#[test]
fn panic_ends_the_process() {
    let (workspace, output) = as_process("panics", "connection-reset");
    assert_eq!(output.code, Some(1), "{output}");
    let found = workspace.verdict("out/connection-reset").findings("process");
    assert!(found.contains("exit status 70"), "{found}");
    assert!(workspace.read("out/connection-reset/client.stderr").contains("connection"));
}

#[test]
fn invalid_adapter_arguments_are_refused() {
    let workspace = Workspace::new();
    workspace.run(&["adapter", "nonsense"]).refuses(64, &["\"nonsense\"", "reference"]);
    workspace.run(&["adapter", "reference"]).refuses(69, &["PGPORT"]);
}

#[test]
fn reference_process_passes_blackhole_as_root() {
    if !is_root() {
        println!("skipped: needs root; the next test is for other users");
        return;
    }
    let (workspace, output) = as_process("reference", "blackhole.toml");
    let report = workspace.report("report.json");
    if !report.lacks_kernel_plane() {
        assert_eq!(report.endings(), ["blackhole pass"], "{output}");
        assert!(workspace.read("out/blackhole/history.jsonl").contains("\"plane\":\"kernel\""));
    }
}

#[test]
fn reference_becomes_a_process_without_root() {
    let workspace = Workspace::new();
    workspace.write("short.toml", BLACKHOLE);
    let mut command = workspace.as_user("nobody", None);
    command.args(["run", "short.toml", "--client", "reference", "--server", "local", "--out", "out"]);
    command.args(["--report", "json=report.json"]);
    let output = output_of(command);
    let report = workspace.report("report.json");
    if !report.lacks_kernel_plane() {
        assert_eq!(report.endings(), ["short pass"], "{output}");
        let history = workspace.read("out/short/history.jsonl");
        assert!(history.contains("\"client\":\"reference\"") && history.contains("\"plane\":\"kernel\""));
        assert!(workspace.holds("out/short/client.stderr"), "a client of this process writes none");
    }
}
