//! Several clients in one command: the table of clients by scenarios, and `--resume`.

use std::fs;

use super::common::{RESET, Workspace};

const BOTH: [&str; 9] =
    ["run", "short.toml", "--client", "reference", "--client", "never-reconnects", "--budget", "2s", "--out"];

#[test]
fn matrix_is_printed_and_resumed() {
    let place = Workspace::new();
    place.write("short.toml", RESET);
    let first = place.run(&[BOTH.as_slice(), &["out", "--seed", "9"]].concat());
    assert_eq!(first.code, Some(1), "{first}");
    let head = first.stdout.lines().next().unwrap();
    assert!(
        head.starts_with("scenario ") && head.contains("reference") && head.ends_with("never-reconnects"),
        "{first}"
    );
    let row = first.stdout.lines().find(|line| line.starts_with("short ")).unwrap();
    assert!(row.contains("pass") && row.contains("FAIL") && row.contains("recovered"), "{first}");
    assert_eq!(place.report("out").endings(), ["short pass", "short fail"], "{first}");
    // Findings, for which the table has no room, follow below it.
    let finding = place.verdict("out/never-reconnects/short").findings("recovered");
    assert!(first.stdout.contains(finding.lines().next().unwrap()), "{finding}: {first}");

    let table = place.read("out/report.md");
    let rows: Vec<_> = table.lines().skip_while(|line| !line.starts_with("| ")).collect();
    assert!(rows[0].ends_with("| reference | never-reconnects |") && rows[2].starts_with("| short | pass "), "{table}");

    // One verdict is missing, as if the command had been stopped.
    fs::remove_file(place.path().join("out/never-reconnects/short/verdict.json")).unwrap();
    let kept = place.read("out/reference/short/verdict.json");
    let second = place.run(&[BOTH.as_slice(), &["out", "--resume"]].concat());
    assert_eq!(second.code, Some(1), "{second}");
    let report = place.report("out");
    assert_eq!((report.at("/seed"), report.kept()), (&9.into(), vec!["reference short".to_owned()]), "{second}");
    assert!(!second.stderr.contains("reference short  "), "only missing runs are repeated: {second}");
    assert_eq!(place.read("out/reference/short/verdict.json"), kept);
    assert_eq!(report.endings(), ["short pass", "short fail"], "{second}");
    assert!(rows.iter().any(|row| place.read("out/report.md").contains(row)), "{second}");

    // Verdicts for another budget are not kept.
    let words = ["run", "short.toml", "--client", "reference", "--client", "never-reconnects", "--budget", "1s"];
    let third = place.run(&[words.as_slice(), &["--out", "out", "--resume"]].concat());
    assert_eq!(place.report("out").kept(), [""; 0], "{third}");
}

#[test]
fn duplicate_client_is_refused() {
    let place = Workspace::new();
    let words = ["run", "--client", "reference", "--client", "reference"];
    place.run(&words).refuses(64, &["reference"]);
    place.run(&["run", "--resume"]).refuses(64, &["--out"]);
}
