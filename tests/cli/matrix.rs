//! Several clients in one run: one table, kept as it grows, and taken up again.

use std::fs;

use super::common::{Place, RESET};

const BOTH: [&str; 9] =
    ["run", "short.toml", "--client", "reference", "--client", "never-reconnects", "--budget", "2s", "--out"];

#[test]
fn clients_by_scenarios_and_what_is_there_is_kept() {
    let place = Place::new();
    place.write("short.toml", RESET);
    let first = place.run(&[BOTH.as_slice(), &["out", "--seed", "9"]].concat());
    assert_eq!(first.code, Some(1), "{first}");
    let head = first.stdout.lines().next().unwrap();
    assert!(
        head.starts_with("scenario ") && head.contains("reference") && head.ends_with("never-reconnects"),
        "{first}"
    );
    let row = first.stdout.lines().find(|line| line.starts_with("short ")).unwrap();
    assert!(row.contains("pass ") && row.contains("FAIL recovered"), "{first}");
    assert!(first.stdout.contains("never-reconnects short: fail: recovered: not recovered"), "{first}");
    assert!(first.stdout.contains("2 runs: 1 pass, 1 fail, 0 unknown"), "{first}");

    let table = place.read("out/report.md");
    assert!(table.contains("| scenario | reference | never-reconnects |\n|---|---|---|\n| short | pass "), "{table}");
    assert!(table.contains("| 1 pass, 0 fail, 0 unknown | 0 pass, 1 fail, 0 unknown |"), "{table}");

    // One of the two is missing, as if the first run had been stopped.
    fs::remove_file(place.path().join("out/never-reconnects/short/verdict.json")).unwrap();
    let kept = place.read("out/reference/short/verdict.json");
    let second = place.run(&[BOTH.as_slice(), &["out", "--resume"]].concat());
    assert_eq!(second.code, Some(1), "{second}");
    assert!(second.stderr.contains("seed 9") && second.stderr.contains("1 of them kept from earlier"), "{second}");
    assert!(!second.stderr.contains("reference short  "), "only what was missing is asked: {second}");
    assert_eq!(place.read("out/reference/short/verdict.json"), kept);
    assert!(
        place.read("out/report.md").contains("| 1 pass, 0 fail, 0 unknown | 0 pass, 1 fail, 0 unknown |"),
        "{second}"
    );

    // Another budget is another question.
    let words = ["run", "short.toml", "--client", "reference", "--client", "never-reconnects", "--budget", "1s"];
    let third = place.run(&[words.as_slice(), &["--out", "out", "--resume"]].concat());
    assert!(!third.stderr.contains("kept from earlier"), "{third}");
}

#[test]
fn a_client_named_twice_is_refused() {
    let place = Place::new();
    let words = ["run", "--client", "reference", "--client", "reference"];
    place.run(&words).refuses(64, &["the client reference is named twice"]);
    place.run(&["run", "--resume"]).refuses(64, &["--out"]);
}
