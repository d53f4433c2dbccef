//! Clients that exit, and are launched again.

use serde_json::Value;

use super::common::{BINARY, Place, RESET};

/// Dies of its first lost connection, and from then on two seconds after each launch, whatever happens.
const LOOPS: &str = r#"
if [ -e died ]; then exec timeout --foreground 2 "$1" adapter reference; fi
touch died
exec "$1" adapter panics
"#;

#[test]
fn an_exit_is_forgiven_where_a_supervisor_is_asked_for() {
    let place = Place::new();
    place.write("short.toml", RESET);
    let client = format!("'{BINARY}' adapter panics");
    let words = ["run", "short.toml", "--client", &client, "--server", "local", "--out", "out", "--seed", "7"];
    let said = place.run(&words);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("fails     process: the client process ended (exit status 70)"), "{said}");

    // Another question, so that nothing is kept.
    let said = place.run(&[words.as_slice(), &["--supervise", "--resume", "--verbose"]].concat());
    said.succeeds();
    assert!(!said.stderr.contains("kept from earlier"), "{said}");
    assert!(said.stderr.contains("adapter panics, launched again whenever its process exits"), "{said}");
    for text in
        ["process   restarted once, first exit ", "after the fault (exit status 70); away for 1.", " --supervise "]
    {
        assert!(said.stdout.contains(text), "{text:?} is not in:\n{said}");
    }
    let stored = place.read("out/short/verdict.json");
    let verdict: Value = serde_json::from_str(&stored).unwrap();
    let recovered = verdict["measures"]["time_to_recover"]["ttr_us"].as_u64().unwrap();
    assert!(recovered >= 1_000_000, "the pause before the restart is a part of it: {recovered} µs");
    assert_eq!(verdict["checks"]["process"]["result"], "pass");
    assert_eq!(place.run(&["judge", "--json", "out/short"]).succeeds().stdout, stored);
}

#[test]
fn a_client_that_exits_again_and_again_fails_under_a_supervisor() {
    let place = Place::new();
    place.write("short.toml", RESET);
    place.write("loops.sh", LOOPS);
    let client = format!("sh loops.sh '{BINARY}'");
    let said =
        place.run(&["run", "short.toml", "--client", &client, "--server", "local", "--supervise", "--out", "out"]);
    assert_eq!(said.code, Some(1), "{said}");
    let finding = "fails     process: the client exits again and again, also without a fault: 2 times";
    assert!(said.stdout.contains(finding) && said.stdout.contains("(last exit status 124)"), "{said}");
}

#[test]
fn a_built_in_client_is_a_process_where_it_is_supervised() {
    let place = Place::new();
    place.write("short.toml", RESET);
    let said = place.run(&["run", "short.toml", "--supervise", "--verbose", "--out", "out"]);
    assert!(said.succeeds().stdout.contains("process   supervised, and never restarted"), "{said}");
    assert!(said.stdout.contains("--client reference --supervise "), "{said}");
    assert!(place.holds("out/short/client.stderr"), "a client of this process writes none");
}
