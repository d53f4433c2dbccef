//! Complete runs: their output, their stored files, and that the same seed repeats them.

use serde_json::Value;

use super::common::{RESET, Verdict, Workspace};

fn header(history: &str) -> Value {
    serde_json::from_str(history.lines().next().unwrap()).unwrap()
}

#[test]
fn passing_run_prints_and_stores_its_verdict() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let output = workspace.run(&["run", "short.toml", "--out", "out", "--seed", "7"]);
    assert_eq!(workspace.report("out").endings(), ["short pass"], "{output}");
    let verdict = workspace.verdict("out/short");
    assert!(verdict.evidence() > 0, "{verdict}");
    // The table shows the verdict and its evidence; the path of the report is below it.
    let row = output.succeeds().line("short");
    assert!(row.contains("pass") && row.contains(&format!("{} ", verdict.evidence())), "{output}");
    assert!(output.stdout.contains("out/report.html"), "{output}");
    // Progress is on stderr, in plain lines because that is no terminal.
    assert!(output.stderr.lines().any(|line| line.starts_with("short ") && line.contains("pass")), "{output}");
    assert!(output.stderr.contains("seed 7") && !output.stderr.contains('\u{1b}'), "{output}");
    assert!(!output.stdout.contains('\u{1b}'), "{output}");

    let stored = workspace.read("out/short/verdict.json");
    assert!(workspace.read("out/short/server.log").contains("database system is ready"));
    for history in ["out/short/history.jsonl", "out/short"] {
        assert_eq!(workspace.run(&["judge", "--json", history]).succeeds().stdout, stored);
    }
    let page = workspace.run(&["judge", "out/short"]);
    let head = page.succeeds().stdout.lines().next().unwrap();
    assert!(["short.toml", "reference", "pass"].iter().all(|part| head.contains(part)), "{page}");
    assert!(page.stdout.contains("pgsquall run short.toml --client reference --budget 5s --seed 7"), "{page}");

    // The same arguments give the same plan, to the microsecond.
    let again = workspace.run(&["run", "short.toml", "--budget", "5s", "--seed", "7", "--out", "again", "--verbose"]);
    let (first, second) =
        (header(&workspace.read("out/short/history.jsonl")), header(&workspace.read("again/short/history.jsonl")));
    assert_eq!(first, second);
    assert!(first["run"]["faults"][0]["at_us"].as_u64().unwrap() >= 500_000, "{first}");
    // `run --verbose` prints the same explanation as `judge` for the same history.
    let page = workspace.run(&["judge", "again/short"]).stdout;
    assert!(again.succeeds().stdout.contains(page.trim_end()), "{again}\nis without\n{page}");
}

#[test]
fn failing_run_prints_finding_and_command() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let output =
        workspace.run(&["run", "short.toml", "--client", "never-reconnects", "--budget", "1s", "--out", "out"]);
    assert_eq!(output.code, Some(1), "{output}");
    let report = workspace.report("out");
    assert_eq!(report.endings(), ["short fail"], "{output}");
    let verdict = report.verdict("short");
    assert_eq!((verdict.failed(), verdict.evidence()), (vec!["recovered"], 4), "{verdict}");
    let finding = verdict.at("/checks/recovered/findings/0");
    assert!(finding["ops"].as_array().is_some_and(|ops| !ops.is_empty()), "{finding}");
    // The output has the finding, the command that repeats the run, and the history's path.
    let [what, advice] = ["what", "advice"].map(|part| finding[part].as_str().unwrap());
    let repeat = "pgsquall run short.toml --client never-reconnects --budget 1s --seed ";
    for text in [what, advice, repeat, "out/short/history.jsonl"] {
        assert!(output.stdout.contains(text), "{text:?} is not in:\n{output}");
    }
    let progress = output.stderr.lines().find(|line| line.starts_with("short ")).unwrap();
    assert!(progress.contains("fail") && progress.contains("recovered"), "{output}");

    // The history of a killed run has no end, so its verdict is unknown.
    let history = workspace.read("out/short/history.jsonl");
    let lines: Vec<_> = history.lines().collect();
    workspace.write("short.jsonl", &(lines[..lines.len() / 2].join("\n") + "\n"));
    let judged = workspace.run(&["judge", "short.jsonl"]);
    assert_eq!(judged.code, Some(2), "{judged}");
    let unfinished = Verdict::parse(&workspace.run(&["judge", "--json", "short.jsonl"]).stdout);
    assert_eq!(unfinished.kind(), "unknown", "{unfinished}");
    assert!(judged.stdout.contains(unfinished.doubts().lines().next().unwrap()), "{judged}");
    // A history that ends within a line is an error.
    workspace.write("cut.jsonl", &history[..history.len() / 2]);
    let number = history[..history.len() / 2].lines().count();
    workspace.run(&["judge", "cut.jsonl"]).refuses(64, &[&format!("cut.jsonl: line {number}: ")]);
}

/// Keeps the wording of the page of a failed run in a snapshot. The run is simulated, so that its figures are
/// reproducible, and judged as if it were real.
#[cfg(feature = "simulation")]
#[test]
fn failing_run_matches_snapshot() {
    let workspace = Workspace::new();
    super::calibrate::as_if_real(&workspace, "connection-reset", "never-reconnects", "run", &[]);
    let page = workspace.run(&["judge", "real/run"]);
    assert_eq!(page.code, Some(1), "{page}");
    // A new check that passes changes no snapshot.
    let lines = page.stdout.lines().map(|line| match line.strip_prefix("  passes    ") {
        Some(checks) if checks.contains("lost write") => "  passes    CHECKS",
        _ => line,
    });
    insta::assert_snapshot!("failing_run", lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn repeats_are_summarized_by_percentiles() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let output = workspace.run(&["run", "short.toml", "--repeat", "3", "--out", "out"]);
    let row = output.succeeds().line("short");
    for text in ["3/3", "p50 ", "p95 ", "max ", "n 3"] {
        assert!(row.contains(text), "{text:?} is not in:\n{output}");
    }
    assert_eq!(workspace.report("out").endings(), ["short pass"; 3], "{output}");
    let onsets = [0, 1, 2].map(|repeat| {
        header(&workspace.read(&format!("out/short/{repeat}/history.jsonl")))["run"]["faults"][0]["at_us"]
            .as_u64()
            .unwrap()
    });
    assert!(onsets[0] < onsets[1] && onsets[1] < onsets[2], "they sweep the phase: {onsets:?}");
}

/// The user's variables of libpq concern the user's servers. A standby connects to its primary by libpq.
#[test]
fn variables_of_libpq_do_not_reach_servers() {
    let workspace = Workspace::new();
    let mut command = workspace.command(super::common::BINARY);
    command.args(["run", "failover-same-address", "--server", "local", "--out", "out"]);
    command.envs([("PGSSLMODE", "verify-full"), ("PGHOST", "/nowhere"), ("PGDATA", "/nowhere"), ("PGPORT", "1")]);
    let output = super::common::output_of(command);
    assert_eq!(workspace.report("out").endings(), ["failover-same-address pass"], "{output}");
}
