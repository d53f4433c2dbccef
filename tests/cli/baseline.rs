//! `--baseline`: a client that has become two seconds slower at coming back is found out; one that has not is left alone.

use pgsquall::report::Report;
use pgsquall::report::baseline::ChangeKind;

use super::common::{Place, RESET};

/// A built-in client as a process; which one stands in a file, so that the question remains the same when it changes.
fn client(place: &Place, behaviour: &str) -> String {
    place.write("behaviour", behaviour);
    format!("sh -c 'exec {} adapter $(cat behaviour)'", env!("CARGO_BIN_EXE_pgsquall"))
}

#[test]
fn a_slow_down_of_two_seconds_is_a_regression() {
    let place = Place::new();
    place.write("short.toml", RESET);
    let run = |behaviour: &str, words: &[&str]| {
        let client = client(&place, behaviour);
        let all = ["run", "short.toml", "--repeat", "10", "--network", "proxy", "--client", &client];
        place.run(&[all.as_slice(), words].concat())
    };
    let first = run("reference", &["--out", "base"]);
    assert_eq!(first.code, Some(0), "{first}");

    let again = run("reference", &["--out", "same", "--baseline", "base"]);
    assert_eq!(again.code, Some(0), "{again}");
    assert!(again.stdout.contains("since base of ") && again.stdout.contains(": 1 the same"), "{again}");

    let slower = run("dawdles", &["--out", "slow", "--baseline", "base/report.json"]);
    assert_eq!(slower.code, Some(1), "{slower}");
    assert!(slower.stdout.contains("worse          short with "), "{slower}");
    assert!(slower.stdout.contains("recovery has moved by +"), "{slower}");
    let comparison = Report::read(&place.path().join("slow")).unwrap().comparison.unwrap();
    let times = comparison.changes[0].times.clone().unwrap();
    // The client waits two seconds longer, and the machine adds what it likes.
    assert!(times.shift.at_least_us.is_some_and(|us| us > 1_500_000), "{times:?}");
    assert!(place.read("slow/report.md").contains("recovery has moved by +"), "{slower}");
    assert!(place.read("slow/report.html").contains("recovers later"), "{slower}");
    // Whoever tolerates it is not told that it is worse.
    let tolerated = place.run(&["report", "merge", "slow", "--baseline", "base", "--tolerance", "30s"]);
    assert_eq!(tolerated.code, Some(0), "{tolerated}");

    let gone = run("reference", &["--baseline", "nowhere.json"]);
    assert_eq!(gone.code, Some(64), "{gone}");
    assert!(gone.stderr.contains("nowhere.json: No such file"), "{gone}");
}

#[test]
fn what_failed_before_does_not_count_again() {
    let place = Place::new();
    place.write("short.toml", RESET);
    let run = |behaviour: &str, words: &[&str]| {
        let client = client(&place, behaviour);
        place.run(&[&["run", "short.toml", "--budget", "1s", "--client", &client], words].concat())
    };
    let failed = run("never-reconnects", &["--out", "base"]);
    assert_eq!(failed.code, Some(1), "{failed}");
    let known = run("never-reconnects", &["--out", "again", "--baseline", "base"]);
    assert_eq!(known.code, Some(0), "{known}");
    assert!(known.stdout.contains("1 fail"), "it is told all the same: {known}");
    let mended = run("reference", &["--out", "mended", "--baseline", "base"]);
    assert_eq!(mended.code, Some(0), "{mended}");
    let comparison = Report::read(&place.path().join("mended")).unwrap().comparison.unwrap();
    assert_eq!(comparison.changes[0].kind, ChangeKind::Better);
    let broken = run("never-reconnects", &["--out", "broken", "--baseline", "mended"]);
    assert_eq!(broken.code, Some(1), "{broken}");
}
