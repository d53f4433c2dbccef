//! `--baseline`: a client that recovers two seconds later than before is a regression; an unchanged client, a known
//! failure and an improvement are not.

use pgsquall::report::Report;
use pgsquall::report::baseline::span;
use pgsquall::report::comparison::ChangeKind;

use super::common::{RESET, Workspace};

/// Returns the command line of a built-in client. A file names the client, so that the command line stays the same if
/// it changes: only runs of the same client are compared.
fn client(workspace: &Workspace, behaviour: &str) -> String {
    workspace.write("behaviour", behaviour);
    format!("sh -c 'exec {} adapter $(cat behaviour)'", env!("CARGO_BIN_EXE_pgsquall"))
}

#[test]
fn slowdown_of_two_seconds_is_a_regression() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let run = |behaviour: &str, words: &[&str]| {
        let client = client(&workspace, behaviour);
        let all = ["run", "short.toml", "--repeat", "10", "--network", "proxy", "--client", &client];
        workspace.run(&[all.as_slice(), words].concat())
    };
    let first = run("reference", &["--out", "base"]);
    assert_eq!(first.code, Some(0), "{first}");

    let again = run("reference", &["--out", "same", "--baseline", "base"]);
    assert_eq!(again.code, Some(0), "{again}");
    let comparison = Report::read(&workspace.path().join("same")).unwrap().comparison.unwrap();
    assert_eq!(comparison.baseline, "base");
    assert_eq!(comparison.changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Same], "{again}");
    assert!(again.stdout.contains(&comparison.counts()), "{again}");

    let slower = run("dawdles", &["--out", "slow", "--baseline", "base/report.json"]);
    assert_eq!(slower.code, Some(1), "{slower}");
    let comparison = Report::read(&workspace.path().join("slow")).unwrap().comparison.unwrap();
    let change = comparison.changes[0].clone();
    assert_eq!((change.kind, change.scenario.as_str(), comparison.changes.len()), (ChangeKind::Worse, "short", 1));
    let times = change.times.unwrap();
    // The client waits two seconds longer; half a second is for the noise of a busy machine.
    assert!(times.shift.at_least_us.is_some_and(|us| us > 1_500_000), "{times:?}");
    // Every format reports it, with the same signed delay.
    assert!(slower.stdout.contains(&change.what) && change.what.contains(&span(times.shift)), "{slower}");
    for file in ["slow/report.md", "slow/report.html"] {
        let text = workspace.read(file).replace("&#43;", "+");
        assert!(text.contains(&span(times.shift)) && text.contains(ChangeKind::Worse.word()), "{file}: {slower}");
    }
    // Within the tolerance it does not count as worse.
    let tolerated = workspace.run(&["report", "merge", "slow", "--baseline", "base", "--tolerance", "30s"]);
    assert_eq!(tolerated.code, Some(0), "{tolerated}");

    let gone = run("reference", &["--baseline", "nowhere.json"]);
    assert_eq!(gone.code, Some(64), "{gone}");
    assert!(gone.stderr.contains("nowhere.json"), "{gone}");
}

#[test]
fn known_failures_do_not_count() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let run = |behaviour: &str, words: &[&str]| {
        let client = client(&workspace, behaviour);
        workspace.run(&[&["run", "short.toml", "--budget", "1s", "--client", &client], words].concat())
    };
    let failed = run("never-reconnects", &["--out", "base"]);
    assert_eq!(failed.code, Some(1), "{failed}");
    let known = run("never-reconnects", &["--out", "again", "--baseline", "base"]);
    assert_eq!(known.code, Some(0), "{known}");
    assert_eq!(workspace.report("again").endings(), ["short fail"], "a known failure is reported: {known}");
    let mended = run("reference", &["--out", "mended", "--baseline", "base"]);
    assert_eq!(mended.code, Some(0), "{mended}");
    let comparison = Report::read(&workspace.path().join("mended")).unwrap().comparison.unwrap();
    assert_eq!(comparison.changes[0].kind, ChangeKind::Better);
    let broken = run("never-reconnects", &["--out", "broken", "--baseline", "mended"]);
    assert_eq!(broken.code, Some(1), "{broken}");
}
