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
    let place = Workspace::new();
    place.write("short.toml", RESET);
    let client = format!("'{BINARY}' adapter panics");
    let words = ["run", "short.toml", "--client", &client, "--server", "local", "--out", "out", "--seed", "7"];
    let said = place.run(&words);
    assert_eq!(said.code, Some(1), "{said}");
    let found = place.verdict("out/short").findings("process");
    assert!(found.contains("exit status 70"), "{found}");

    // Supervision changes the run, so `--resume` keeps no verdict.
    let said = place.run(&[words.as_slice(), &["--supervise", "--resume", "--verbose"]].concat());
    said.succeeds();
    assert_eq!(place.report("out").kept(), [""; 0], "{said}");
    assert!(said.stdout.contains(" --supervise ") && said.stderr.contains("adapter panics"), "{said}");
    let stored = place.read("out/short/verdict.json");
    let verdict = place.verdict("out/short");
    let restarts = verdict.at("/measures/restarts");
    assert_eq!((&restarts["restarted"], &restarts["first_status"]), (&1.into(), &"exit status 70".into()), "{verdict}");
    assert!(restarts["first_exit_us"].is_u64(), "{verdict}");
    let away = restarts["away_us"].as_u64().unwrap();
    assert!((1_000_000..2_000_000).contains(&away) && restarts["is_away"] == false, "{verdict}");
    let recovered = verdict.at("/measures/time_to_recover/ttr_us").as_u64().unwrap();
    assert!(recovered >= 1_000_000, "the pause before the restart is a part of it: {recovered} µs");
    assert_eq!(verdict.check("process"), "pass", "{verdict}");
    assert_eq!(verdict.at("/supervised"), true, "{verdict}");
    assert_eq!(place.run(&["judge", "--json", "out/short"]).succeeds().stdout, stored);
}

#[test]
fn repeated_exits_fail_under_supervision() {
    let place = Workspace::new();
    place.write("short.toml", RESET);
    place.write("loops.sh", LOOPS);
    let client = format!("sh loops.sh '{BINARY}'");
    let said =
        place.run(&["run", "short.toml", "--client", &client, "--server", "local", "--supervise", "--out", "out"]);
    assert_eq!(said.code, Some(1), "{said}");
    let verdict = place.verdict("out/short");
    // No fault explains these two exits.
    let needless = place.read("out/short/history.jsonl").matches("\"status\":\"exit status 124\"").count();
    assert_eq!((verdict.check("process"), needless), ("fail", 2), "{verdict}");
    assert!(verdict.findings("process").contains("exit status 124"), "{verdict}");
}

#[test]
fn supervised_built_in_client_is_a_process() {
    let place = Workspace::new();
    place.write("short.toml", RESET);
    let said = place.run(&["run", "short.toml", "--supervise", "--verbose", "--out", "out"]);
    let verdict = place.verdict("out/short");
    assert_eq!((verdict.at("/supervised"), verdict.at("/measures/restarts/restarted")), (&true.into(), &0.into()));
    assert!(verdict.at("/measures/restarts/first_exit_us").is_null(), "{verdict}");
    assert!(said.succeeds().stdout.contains("--client reference --supervise "), "{said}");
    assert!(place.holds("out/short/client.stderr"), "a client of this process writes none");
}
