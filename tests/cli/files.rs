//! Errors about bad scenario files and about files that are no histories: the place, the cause and the fix.

use super::common::{RESET, Workspace};

/// Asserts that `check` and `run` refuse a scenario with this mistake, with the same place, and that `run` starts
/// nothing.
#[track_caller]
fn mistaken(from: &str, to: &str, texts: &[&str]) {
    assert!(RESET.contains(from));
    let workspace = Workspace::new();
    workspace.write("mine.toml", &RESET.replacen(from, to, 1));
    workspace.run(&["check", "mine.toml"]).refuses(64, texts);
    let output = workspace.run(&["run", "connection-closed", "mine.toml"]);
    output.refuses(64, texts);
    assert!(!output.stderr.contains("seed"), "nothing has begun: {output}");
    assert!(!workspace.holds("pgsquall-runs"));
}

#[test]
fn scenario_mistakes_are_located() {
    mistaken("stability", "stabilty", &["mine.toml:7:1:", "stabilty = ", "^^^^^^^^", "`stability`"]);
    mistaken("\"5s\"", "\"5sec onds\"", &["mine.toml:6:19:", "hint:"]);
    mistaken("\"5s\"", "5", &["mine.toml:6:19:", "\"5s\""]);
    mistaken("\"reset\"", "\"rest\"", &["mine.toml:9:8:", "hint:", "\"reset\""]);
    mistaken("at = \"500ms\"", "at = \"1ms\"", &["mine.toml:10:6:", "at = \"500ms\""]);
    mistaken("\"500ms\"\n[[fault]]", "\"500ms\"\n[fault]", &["mine.toml:8:", "[[fault]]"]);
    let twice = "\"500ms\"\n[[fault]]\nkind = \"reset\"\nat = \"500ms\"\n[[fault]]";
    mistaken("\"500ms\"\n[[fault]]", twice, &["mine.toml:13:6:", "500ms"]);
}

#[test]
fn check_reads_every_file() {
    let workspace = Workspace::new();
    workspace.write("good.toml", RESET);
    workspace.write("bad.toml", "schema = 1\n");
    let output = workspace.run(&["check", "bad.toml", "good.toml", "missing.toml"]);
    assert_eq!(output.code, Some(64), "{output}");
    assert!(output.stdout.starts_with("good.toml") && output.stdout.contains("A short reset"), "{output}");
    assert_eq!(output.stdout.lines().count(), 1, "of those that are in order: {output}");
    assert!(
        output.stderr.contains("error: bad.toml:1:1:") && output.stderr.contains("error: missing.toml:"),
        "{output}"
    );
}

#[test]
fn invalid_histories_are_refused() {
    let workspace = Workspace::new();
    let hint = "hint: ";
    workspace.run(&["judge", "missing"]).refuses(64, &["missing", "No such file", "history.jsonl", hint]);
    workspace.run(&["judge", "."]).refuses(64, &["history.jsonl", "No such file", hint]);
    workspace.write("garbage", "not a history\n");
    workspace.run(&["judge", "garbage"]).refuses(64, &["error: garbage: line 1: ", hint]);
    std::fs::write(workspace.path().join("binary"), [0xff_u8; 3000]).unwrap();
    workspace.run(&["judge", "binary"]).refuses(64, &["error: binary: line 1: ", "UTF-8", hint]);
    workspace.write("empty", "");
    workspace.run(&["judge", "empty"]).refuses(64, &["error: empty: ", hint]);
    workspace.write("other", "{\"op\":{}}\n");
    workspace.run(&["judge", "other"]).refuses(64, &["error: other: line 1: ", hint]);
}
