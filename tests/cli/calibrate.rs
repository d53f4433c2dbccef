//! `pgsquall sim --calibrate`: compares real runs with their simulations.

use std::fs;

use super::common::{Output, RESET, Workspace};

/// Simulates a run, and stores its history below the folder `real` as if it were a real one, with these texts replaced.
pub fn as_if_real(place: &Workspace, scenario: &str, client: &str, name: &str, replaced: &[(&str, &str)]) {
    place.run(&["sim", scenario, "--client", client, "--seed", "3", "--out", "made"]);
    let stem = scenario.trim_end_matches(".toml");
    let mut history = place.read(&format!("made/{stem}-{client}/history.jsonl"));
    let real = [("\"plane\":\"simulation\"", "\"plane\":\"proxy\""), ("\"kind\":\"simulated\"", "\"kind\":\"local\"")];
    for (from, to) in real.iter().chain(replaced) {
        assert!(history.contains(from), "{from}");
        history = history.replace(from, to);
    }
    fs::create_dir_all(place.path().join("real").join(name)).unwrap();
    place.write(&format!("real/{name}/history.jsonl"), &history);
}

fn calibrate(place: &Workspace) -> Output {
    place.run(&["sim", "--calibrate", "real"])
}

#[test]
fn real_and_simulated_verdicts_agree() {
    let place = Workspace::new();
    let clients = ["--client", "reference", "--client", "never-reconnects"];
    let words = ["connection-reset", "session-terminated", "--seed", "1", "--budget", "3s", "--out", "real"];
    place.run(&[&["run"][..], &words, &clients].concat());
    let said = place.run(&["sim", "--calibrate", "real", "--out", "kept"]);
    said.succeeds();
    for (client, kind) in [("reference", "pass"), ("never-reconnects", "fail")] {
        for scenario in ["connection-reset", "session-terminated"] {
            let run = format!("{client}/{scenario}");
            let [real, simulated] = ["real", "kept/simulated"].map(|folder| place.verdict(&format!("{folder}/{run}")));
            assert_eq!((real.kind(), simulated.kind()), (kind, kind), "{run}: {said}");
            assert_eq!(simulated.at("/budget_us"), 3_000_000, "that of the real run: {simulated}");
        }
    }
    // The table and its notes are stored too.
    let kept = place.read("kept/calibration.md");
    let notes = kept.split_once("\n\n").unwrap().1.trim();
    assert!(kept.starts_with('|') && !notes.is_empty() && said.stdout.contains(notes), "{kept}\n{said}");
}

#[test]
fn equal_runs_have_no_differences() {
    let place = Workspace::new();
    place.write("mine.toml", RESET);
    as_if_real(&place, "connection-reset", "reference", "one", &[]);
    as_if_real(&place, "mine.toml", "hangs", "deep/er/two", &[]);
    // In virtual time, every figure is reproducible.
    insta::assert_snapshot!("no_differences", calibrate(&place).succeeds().stdout);
}

#[test]
fn contradicting_verdicts_are_a_failure() {
    let place = Workspace::new();
    let renamed = [("\"client\":\"reference\"", "\"client\":\"never-reconnects\"")];
    as_if_real(&place, "connection-reset", "reference", "run", &renamed);
    let said = calibrate(&place);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("pass / fail"), "{said}");
}

#[test]
fn skipped_runs_are_counted_by_reason() {
    let place = Workspace::new();
    let made = |name, from, to| as_if_real(&place, "connection-reset", "reference", name, &[(from, to)]);
    made("adapter", "\"client\":\"reference\"", "\"client\":\"psql\"");
    made("another", "\"client\":\"reference\"", "\"client\":\"python3 mine.py\"");
    made("elsewhere", "\"kind\":\"local\"", "\"kind\":\"external\"");
    made("again", "\"plane\":\"proxy\"", "\"plane\":\"simulation\"");
    made("middlebox", "\"scenario\":\"connection-reset\"", "\"scenario\":\"pgbouncer-restart\"");
    made("changed", "\"scenario\":\"connection-reset\"", "\"scenario\":\"stall\"");
    made("gone", "\"scenario\":\"connection-reset\"", "\"scenario\":\"gone.toml\"");
    let said = calibrate(&place);
    assert_eq!(said.code, Some(2), "{said}");
    insta::assert_snapshot!("not_compared", said.stdout);
}

#[test]
fn folders_without_runs_are_refused() {
    let place = Workspace::new();
    let hint = "`pgsquall run --out FOLDER`";
    calibrate(&place).refuses(64, &["real", "No such file", hint]);
    fs::create_dir(place.path().join("real")).unwrap();
    calibrate(&place).refuses(64, &["real", "history.jsonl", hint]);
    as_if_real(&place, "connection-reset", "reference", "good", &[]);
    place.write("real/history.jsonl", "garbage\n");
    let said = calibrate(&place);
    assert_eq!(said.code, Some(64), "{said}");
    assert!(said.stdout.contains("pass / pass"), "the other one is compared: {said}");
    assert!(said.stderr.contains("real/history.jsonl: line 1: "), "{said}");
}

#[test]
fn calibrate_excludes_other_arguments() {
    let place = Workspace::new();
    for words in [["stall", "--jobs", "1"], ["--seeds", "3", "--jobs=1"], ["--client", "hangs", "--jobs=1"]] {
        place.run(&[&["sim", "--calibrate", "real"][..], &words].concat()).refuses(64, &["--calibrate <FOLDER>"]);
    }
}
