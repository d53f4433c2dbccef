//! `--supervise`: clients that exit are relaunched.

use super::common::{BINARY, RESET, Workspace};

/// A client that exits at its first lost connection, and from then on two seconds after each launch.
const LOOPS: &str = r#"
if [ -e died ]; then exec timeout --foreground 2 "$1" adapter reference; fi
touch died
exec "$1" adapter panics
"#;

#[test]
fn exit_passes_under_supervision() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let client = format!("'{BINARY}' adapter panics");
    let words = ["run", "short.toml", "--client", &client, "--server", "local", "--out", "out", "--seed", "7"];
    let output = workspace.run(&words);
    assert_eq!(output.code, Some(1), "{output}");
    let found = workspace.verdict("out/short").findings("process");
    assert!(found.contains("exit status 70"), "{found}");

    // Supervision changes the run, so `--resume` keeps no verdict.
    let output = workspace.run(&[words.as_slice(), &["--supervise", "--resume", "--verbose"]].concat());
    output.succeeds();
    assert_eq!(workspace.report("out").kept(), [""; 0], "{output}");
    assert!(output.stdout.contains(" --supervise ") && output.stderr.contains("adapter panics"), "{output}");
    let stored = workspace.read("out/short/verdict.json");
    let verdict = workspace.verdict("out/short");
    let restarts = verdict.at("/measures/restarts");
    assert_eq!((&restarts["restarted"], &restarts["first_status"]), (&1.into(), &"exit status 70".into()), "{verdict}");
    assert!(restarts["first_exit_us"].is_u64(), "{verdict}");
    let away = restarts["away_us"].as_u64().unwrap();
    assert!((1_000_000..2_000_000).contains(&away) && restarts["is_away"] == false, "{verdict}");
    let recovered = verdict.at("/measures/time_to_recover/ttr_us").as_u64().unwrap();
    assert!(recovered >= 1_000_000, "the pause before the restart is a part of it: {recovered} µs");
    assert_eq!(verdict.check("process"), "pass", "{verdict}");
    assert_eq!(verdict.at("/supervised"), true, "{verdict}");
    assert_eq!(workspace.run(&["judge", "--json", "out/short"]).succeeds().stdout, stored);
}

#[test]
fn repeated_exits_fail_under_supervision() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    workspace.write("loops.sh", LOOPS);
    let client = format!("sh loops.sh '{BINARY}'");
    let output =
        workspace.run(&["run", "short.toml", "--client", &client, "--server", "local", "--supervise", "--out", "out"]);
    assert_eq!(output.code, Some(1), "{output}");
    let verdict = workspace.verdict("out/short");
    // No fault explains these two exits.
    let needless = workspace.read("out/short/history.jsonl").matches("\"status\":\"exit status 124\"").count();
    assert_eq!((verdict.check("process"), needless), ("fail", 2), "{verdict}");
    assert!(verdict.findings("process").contains("exit status 124"), "{verdict}");
}

#[test]
fn supervised_built_in_client_is_a_process() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let output = workspace.run(&["run", "short.toml", "--supervise", "--verbose", "--out", "out"]);
    let verdict = workspace.verdict("out/short");
    assert_eq!((verdict.at("/supervised"), verdict.at("/measures/restarts/restarted")), (&true.into(), &0.into()));
    assert!(verdict.at("/measures/restarts/first_exit_us").is_null(), "{verdict}");
    assert!(output.succeeds().stdout.contains("--client reference --supervise "), "{output}");
    assert!(workspace.holds("out/short/client.stderr"), "a client of this process writes none");
}
