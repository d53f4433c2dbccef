//! A run from beginning to end: what is printed, what is stored, and that both can be had again.

use serde_json::Value;

use super::common::{Place, RESET};

fn header(history: &str) -> Value {
    serde_json::from_str(history.lines().next().unwrap()).unwrap()
}

#[test]
fn a_run_tells_its_verdict_and_stores_all_that_led_to_it() {
    let place = Place::new();
    place.write("short.toml", RESET);
    let said = place.run(&["run", "short.toml", "--out", "out", "--seed", "7"]);
    let row = said.succeeds().stdout.lines().find(|line| line.contains("short")).unwrap();
    assert!(row.contains("pass") && row.contains("sockets reset"), "{said}");
    assert!(said.stdout.contains("1 run: 1 pass, 0 fail, 0 unknown; wall time"), "{said}");
    assert!(said.stdout.contains("histories, verdicts and logs are in out"), "{said}");
    // Progress is on stderr, and in plain lines where that is no terminal.
    assert!(said.stderr.lines().any(|line| line.starts_with("short ") && line.contains("pass")), "{said}");
    assert!(said.stderr.contains("seed 7") && !said.stderr.contains('\u{1b}'), "{said}");
    assert!(!said.stdout.contains('\u{1b}'), "{said}");

    let stored = place.read("out/short/verdict.json");
    assert!(place.read("out/short/server.log").contains("database system is ready"));
    for history in ["out/short/history.jsonl", "out/short"] {
        assert_eq!(place.run(&["judge", "--json", history]).succeeds().stdout, stored);
    }
    let page = place.run(&["judge", "out/short"]);
    assert!(page.succeeds().stdout.starts_with("short.toml with reference: pass\n"), "{page}");
    assert!(
        page.stdout.contains("repeat    pgsquall run short.toml --client reference --budget 5s --seed 7"),
        "{page}"
    );

    // The same words ask the same question, down to the microsecond.
    let again = place.run(&["run", "short.toml", "--budget", "5s", "--seed", "7", "--out", "again", "--verbose"]);
    let (first, second) =
        (header(&place.read("out/short/history.jsonl")), header(&place.read("again/short/history.jsonl")));
    assert_eq!(first, second);
    assert!(first["run"]["faults"][0]["at_us"].as_u64().unwrap() >= 500_000, "{first}");
    // What `run` explains is what `judge` says of the same history.
    let page = place.run(&["judge", "again/short"]).stdout;
    assert!(again.succeeds().stdout.contains(page.trim_end()), "{again}\nis without\n{page}");
}

#[test]
fn a_client_that_does_not_come_back_is_told_why() {
    let place = Place::new();
    place.write("short.toml", RESET);
    let said = place.run(&["run", "short.toml", "--client", "never-reconnects", "--budget", "1s", "--out", "out"]);
    assert_eq!(said.code, Some(1), "{said}");
    for text in [
        "short.toml with never-reconnects: fail",
        "fails     recovered: not recovered",
        "operations ",
        "try: ",
        "evidence  4 sockets reset",
        "repeat    pgsquall run short.toml --client never-reconnects --budget 1s --seed ",
        "history   out/short/history.jsonl",
        "1 run: 0 pass, 1 fail, 0 unknown",
    ] {
        assert!(said.stdout.contains(text), "{text:?} is not in:\n{said}");
    }
    assert!(said.stderr.lines().any(|line| line.starts_with("short ") && line.ends_with("fail     fails recovered")));

    // Of a run that was killed there is a history without an end: it proves nothing, whatever it says so far.
    let history = place.read("out/short/history.jsonl");
    let lines: Vec<_> = history.lines().collect();
    place.write("short.jsonl", &(lines[..lines.len() / 2].join("\n") + "\n"));
    let judged = place.run(&["judge", "short.jsonl"]);
    assert_eq!(judged.code, Some(2), "{judged}");
    assert!(judged.stdout.contains("doubt     the run did not finish"), "{judged}");
    // A line that was cut in two is no history at all.
    place.write("cut.jsonl", &history[..history.len() / 2]);
    let number = history[..history.len() / 2].lines().count();
    place.run(&["judge", "cut.jsonl"]).refuses(64, &[&format!("cut.jsonl: line {number}: ")]);
}

#[test]
fn repeats_are_told_as_a_distribution() {
    let place = Place::new();
    place.write("short.toml", RESET);
    let said = place.run(&["run", "short.toml", "--repeat", "3", "--out", "out"]);
    let row = said.succeeds().stdout.lines().find(|line| line.contains("short")).unwrap();
    assert!(row.contains("pass 3/3"), "{said}");
    for text in ["p50 ", "p95 ", "max ", "n 3"] {
        assert!(said.stdout.contains(text), "{text:?} is not in:\n{said}");
    }
    let onsets = [0, 1, 2].map(|repeat| {
        header(&place.read(&format!("out/short/{repeat}/history.jsonl")))["run"]["faults"][0]["at_us"].as_u64().unwrap()
    });
    assert!(onsets[0] < onsets[1] && onsets[1] < onsets[2], "they sweep the phase: {onsets:?}");
}
