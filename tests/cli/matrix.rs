//! Several clients in one command: the table of clients by scenarios, and `--resume`.

use std::fs;

use super::common::{RESET, Workspace};

const BOTH: [&str; 9] =
    ["run", "short.toml", "--client", "reference", "--client", "never-reconnects", "--budget", "2s", "--out"];

#[test]
fn matrix_is_printed_and_resumed() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let first = workspace.run(&[BOTH.as_slice(), &["out", "--seed", "9"]].concat());
    assert_eq!(first.code, Some(1), "{first}");
    let head = first.stdout.lines().next().unwrap();
    assert!(
        head.starts_with("scenario ") && head.contains("reference") && head.ends_with("never-reconnects"),
        "{first}"
    );
    let row = first.stdout.lines().find(|line| line.starts_with("short ")).unwrap();
    assert!(row.contains("pass") && row.contains("FAIL") && row.contains("recovered"), "{first}");
    assert_eq!(workspace.report("out").endings(), ["short pass", "short fail"], "{first}");
    // Findings, for which the table has no room, follow below it.
    let finding = workspace.verdict("out/never-reconnects/short").findings("recovered");
    assert!(first.stdout.contains(finding.lines().next().unwrap()), "{finding}: {first}");

    let table = workspace.read("out/report.md");
    let rows: Vec<_> = table.lines().skip_while(|line| !line.starts_with("| ")).collect();
    assert!(rows[0].ends_with("| reference | never-reconnects |") && rows[2].starts_with("| short | pass "), "{table}");

    // One verdict is missing, as if the command had been stopped.
    fs::remove_file(workspace.path().join("out/never-reconnects/short/verdict.json")).unwrap();
    let kept = workspace.read("out/reference/short/verdict.json");
    let second = workspace.run(&[BOTH.as_slice(), &["out", "--resume"]].concat());
    assert_eq!(second.code, Some(1), "{second}");
    let report = workspace.report("out");
    assert_eq!((report.at("/seed"), report.kept()), (&9.into(), vec!["reference short".to_owned()]), "{second}");
    assert!(!second.stderr.contains("reference short  "), "only missing runs are repeated: {second}");
    assert_eq!(workspace.read("out/reference/short/verdict.json"), kept);
    assert_eq!(report.endings(), ["short pass", "short fail"], "{second}");
    assert!(rows.iter().any(|row| workspace.read("out/report.md").contains(row)), "{second}");

    // Verdicts for another budget are not kept.
    let words = ["run", "short.toml", "--client", "reference", "--client", "never-reconnects", "--budget", "1s"];
    let third = workspace.run(&[words.as_slice(), &["--out", "out", "--resume"]].concat());
    assert_eq!(workspace.report("out").kept(), [""; 0], "{third}");

    // Nor are those of another plane than the one that is required now.
    let fourth = workspace.run(&[words.as_slice(), &["--out", "out", "--resume", "--network", "proxy"]].concat());
    assert_eq!(workspace.report("out").kept(), [""; 0], "{fourth}");
    let fifth = workspace.run(&[words.as_slice(), &["--out", "out", "--resume", "--network", "proxy"]].concat());
    assert_eq!(workspace.report("out").kept(), ["reference short", "never-reconnects short"], "{fifth}");
}

#[test]
fn duplicate_client_is_refused() {
    let workspace = Workspace::new();
    let words = ["run", "--client", "reference", "--client", "reference"];
    workspace.run(&words).refuses(64, &["reference"]);
    workspace.run(&["run", "--resume"]).refuses(64, &["--out"]);
}
