//! `pgsquall sim --calibrate`: compares real runs with their simulations.

use std::fs;

use super::common::{Output, RESET, Workspace};

/// Simulates a run, and stores its history below the folder `real` as if it were a real one, with these texts replaced.
pub fn as_if_real(workspace: &Workspace, scenario: &str, client: &str, name: &str, replaced: &[(&str, &str)]) {
    workspace.run(&["sim", scenario, "--client", client, "--seed", "3", "--out", "made"]);
    let stem = scenario.trim_end_matches(".toml");
    let mut history = workspace.read(&format!("made/{stem}-{client}/history.jsonl"));
    let real = [("\"plane\":\"simulation\"", "\"plane\":\"proxy\""), ("\"kind\":\"simulated\"", "\"kind\":\"local\"")];
    for (from, to) in real.iter().chain(replaced) {
        assert!(history.contains(from), "{from}");
        history = history.replace(from, to);
    }
    fs::create_dir_all(workspace.path().join("real").join(name)).unwrap();
    workspace.write(&format!("real/{name}/history.jsonl"), &history);
}

fn calibrate(workspace: &Workspace) -> Output {
    workspace.run(&["sim", "--calibrate", "real"])
}

#[test]
fn real_and_simulated_verdicts_agree() {
    let workspace = Workspace::new();
    let clients = ["--client", "reference", "--client", "never-reconnects"];
    let words = ["connection-reset", "session-terminated", "--seed", "1", "--budget", "3s", "--out", "real"];
    workspace.run(&[&["run"][..], &words, &clients].concat());
    let output = workspace.run(&["sim", "--calibrate", "real", "--out", "kept"]);
    output.succeeds();
    for (client, kind) in [("reference", "pass"), ("never-reconnects", "fail")] {
        for scenario in ["connection-reset", "session-terminated"] {
            let run = format!("{client}/{scenario}");
            let [real, simulated] =
                ["real", "kept/simulated"].map(|folder| workspace.verdict(&format!("{folder}/{run}")));
            assert_eq!((real.kind(), simulated.kind()), (kind, kind), "{run}: {output}");
            assert_eq!(simulated.at("/budget_us"), 3_000_000, "that of the real run: {simulated}");
        }
    }
    // The table and its notes are stored too.
    let kept = workspace.read("kept/calibration.md");
    let notes = kept.split_once("\n\n").unwrap().1.trim();
    assert!(kept.starts_with('|') && !notes.is_empty() && output.stdout.contains(notes), "{kept}\n{output}");
}

#[test]
fn equal_runs_have_no_differences() {
    let workspace = Workspace::new();
    workspace.write("mine.toml", RESET);
    as_if_real(&workspace, "connection-reset", "reference", "one", &[]);
    as_if_real(&workspace, "mine.toml", "hangs", "deep/er/two", &[]);
    // In virtual time, every figure is reproducible.
    insta::assert_snapshot!("no_differences", calibrate(&workspace).succeeds().stdout);
}

#[test]
fn contradicting_verdicts_are_a_failure() {
    let workspace = Workspace::new();
    let renamed = [("\"client\":\"reference\"", "\"client\":\"never-reconnects\"")];
    as_if_real(&workspace, "connection-reset", "reference", "run", &renamed);
    let output = calibrate(&workspace);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stdout.contains("pass / fail"), "{output}");
}

#[test]
fn skipped_runs_are_counted_by_reason() {
    let workspace = Workspace::new();
    let made = |name, from, to| as_if_real(&workspace, "connection-reset", "reference", name, &[(from, to)]);
    made("adapter", "\"client\":\"reference\"", "\"client\":\"psql\"");
    made("another", "\"client\":\"reference\"", "\"client\":\"python3 mine.py\"");
    made("elsewhere", "\"kind\":\"local\"", "\"kind\":\"external\"");
    made("again", "\"plane\":\"proxy\"", "\"plane\":\"simulation\"");
    made("middlebox", "\"scenario\":\"connection-reset\"", "\"scenario\":\"pgbouncer-restart\"");
    made("changed", "\"scenario\":\"connection-reset\"", "\"scenario\":\"stall\"");
    made("gone", "\"scenario\":\"connection-reset\"", "\"scenario\":\"gone.toml\"");
    let output = calibrate(&workspace);
    assert_eq!(output.code, Some(2), "{output}");
    insta::assert_snapshot!("not_compared", output.stdout);
}

#[test]
fn folders_without_runs_are_refused() {
    let workspace = Workspace::new();
    let hint = "`pgsquall run --out FOLDER`";
    calibrate(&workspace).refuses(64, &["real", "No such file", hint]);
    fs::create_dir(workspace.path().join("real")).unwrap();
    calibrate(&workspace).refuses(64, &["real", "history.jsonl", hint]);
    as_if_real(&workspace, "connection-reset", "reference", "good", &[]);
    workspace.write("real/history.jsonl", "garbage\n");
    let output = calibrate(&workspace);
    assert_eq!(output.code, Some(64), "{output}");
    assert!(output.stdout.contains("pass / pass"), "the other one is compared: {output}");
    assert!(output.stderr.contains("real/history.jsonl: line 1: "), "{output}");
}

#[test]
fn calibrate_excludes_other_arguments() {
    let workspace = Workspace::new();
    for words in [["stall", "--jobs", "1"], ["--seeds", "3", "--jobs=1"], ["--client", "hangs", "--jobs=1"]] {
        workspace.run(&[&["sim", "--calibrate", "real"][..], &words].concat()).refuses(64, &["--calibrate <FOLDER>"]);
    }
}
