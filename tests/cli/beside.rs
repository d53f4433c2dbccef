//! `pgsquall sim --beside`: what was run for real, beside the simulation of the same question.

use std::fs;

use super::common::{Place, RESET, Said};

/// What one run of a simulation left, as if it had been carried out for real, with words replaced; in the folder `real`.
fn as_if_real(place: &Place, scenario: &str, client: &str, name: &str, replaced: &[(&str, &str)]) {
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

fn beside(place: &Place) -> Said {
    place.run(&["sim", "--beside", "real"])
}

#[track_caller]
fn tells(said: &Said, code: i32, texts: &[&str]) {
    assert_eq!(said.code, Some(code), "{said}");
    texts.iter().for_each(|text| assert!(said.stdout.contains(text), "{text:?} in {said}"));
}

#[test]
fn real_runs_come_to_the_verdicts_of_simulated_ones() {
    let place = Place::new();
    let clients = ["--client", "reference", "--client", "never-reconnects"];
    let words = ["connection-reset", "session-terminated", "--seed", "1", "--budget", "3s", "--out", "real"];
    place.run(&[&["run"][..], &words, &clients].concat());
    let said = place.run(&["sim", "--beside", "real", "--out", "kept"]);
    tells(&said, 0, &["4 runs compared: 4 verdicts agree, 0 differ, 0 unknown", "pass / pass", "fail / fail"]);
    assert!(said.stdout.contains("> 3.00 s / > 3.00 s"), "within the budget of the real run: {said}");
    let kept = place.read("kept/calibration.md");
    assert!(kept.starts_with("| scenario") && kept.contains("\n\n4 runs compared"), "{kept}");
    assert!(place.holds("kept/simulated/reference/connection-reset/verdict.json"));
}

#[test]
fn the_same_run_has_no_differences() {
    let place = Place::new();
    place.write("mine.toml", RESET);
    as_if_real(&place, "connection-reset", "reference", "one", &[]);
    as_if_real(&place, "mine.toml", "hangs", "deep/er/two", &[]);
    let said = beside(&place);
    let ratio = "median 1.00, median distance 0 µs, of 2";
    tells(&said, 0, &["2 runs compared: 2 verdicts agree", ratio, " connection-reset ", " mine.toml "]);
}

#[test]
fn a_verdict_that_is_the_other_one_is_a_failure() {
    let place = Place::new();
    let renamed = [("\"client\":\"reference\"", "\"client\":\"never-reconnects\"")];
    as_if_real(&place, "connection-reset", "reference", "run", &renamed);
    let said = beside(&place);
    tells(&said, 1, &["1 run compared: 0 verdicts agree, 1 differ", "pass / fail", "VERDICT", "recovered sim"]);
}

#[test]
fn what_cannot_be_compared_is_counted_by_its_reason() {
    let place = Place::new();
    let made = |name, from, to| as_if_real(&place, "connection-reset", "reference", name, &[(from, to)]);
    made("adapter", "\"client\":\"reference\"", "\"client\":\"psql\"");
    made("another", "\"client\":\"reference\"", "\"client\":\"python3 mine.py\"");
    made("elsewhere", "\"kind\":\"local\"", "\"kind\":\"external\"");
    made("again", "\"plane\":\"proxy\"", "\"plane\":\"simulation\"");
    made("middlebox", "\"scenario\":\"connection-reset\"", "\"scenario\":\"pgbouncer-restart\"");
    made("changed", "\"scenario\":\"connection-reset\"", "\"scenario\":\"stall\"");
    made("gone", "\"scenario\":\"connection-reset\"", "\"scenario\":\"gone.toml\"");
    let said = beside(&place);
    let reasons = [
        "0 runs compared",
        "2 skipped: the client is not built in",
        "1 skipped: the server is external",
        "1 skipped: simulated itself",
        "1 skipped: PgBouncer is a real program",
        "1 skipped: the scenario is another one by now",
        "1 skipped: the scenario gone.toml is gone",
    ];
    tells(&said, 2, &reasons);
}

#[test]
fn folders_that_hold_no_runs() {
    let place = Place::new();
    let hint = "hint: give a folder that `pgsquall run --out FOLDER` has filled";
    beside(&place).refuses(64, &["error: real: No such file", hint]);
    fs::create_dir(place.path().join("real")).unwrap();
    beside(&place).refuses(64, &["error: real: no history.jsonl is in it", hint]);
    as_if_real(&place, "connection-reset", "reference", "good", &[]);
    place.write("real/history.jsonl", "garbage\n");
    let said = beside(&place);
    tells(&said, 64, &["1 run compared"]);
    assert!(said.stderr.contains("error: real/history.jsonl: line 1: "), "{said}");
}

#[test]
fn it_takes_no_other_question() {
    let place = Place::new();
    for words in [["stall", "--jobs", "1"], ["--seeds", "3", "--jobs=1"], ["--client", "hangs", "--jobs=1"]] {
        place.run(&[&["sim", "--beside", "real"][..], &words].concat()).refuses(64, &["--beside <FOLDER>"]);
    }
}
