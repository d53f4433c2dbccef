//! `pgsquall doctor`: exit codes, the form of its JSON, and that it never prints a password.

use std::collections::BTreeSet;

use serde_json::Value;

use super::common::postgres::Postgres;
use super::common::{BINARY, Output, Workspace, output_of};

/// Runs `pgsquall doctor` with the password in PGPASSWORD, where `ps` does not show it.
fn with_variable(workspace: &Workspace, password: &str, words: &[&str]) -> Output {
    let mut command = workspace.command(BINARY);
    command.arg("doctor").args(words).env("PGPASSWORD", password);
    output_of(command)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Returns the finding about a topic.
#[track_caller]
fn finding<'a>(json: &'a Value, topic: &str) -> &'a Value {
    let found = json["findings"].as_array().unwrap().iter().find(|finding| finding["topic"] == topic);
    found.unwrap_or_else(|| panic!("nothing about {topic} in {json:#}"))
}

#[test]
fn help_has_examples_and_its_own_exit_codes() {
    let help = Workspace::new().run(&["doctor", "--help"]);
    let text = &help.succeeds().stdout;
    assert!(text.contains("\n  pgsquall doctor postgres://"), "an example: {help}");
    for code in ["0", "1", "64", "69"] {
        help.line(code);
    }
    Workspace::new().run(&["--help"]).line("doctor");
}

#[test]
fn invalid_arguments_are_refused() {
    let workspace = Workspace::new();
    for (words, texts) in [
        (vec!["mysql://u:hidden@h/d"], vec!["postgres://user:password@host"]),
        (vec!["postgres://u:hidden@h:port/d"], vec!["postgres://user:password@host"]),
        (vec!["postgres://u:hidden@h/d?sslmode=strict"], vec!["verify-full"]),
        (vec!["postgres://u@h/d", "--idle-timeout", "5"], vec!["--idle-timeout", "\"5s\""]),
        (vec!["postgres://u@h/d", "--timeout", "0s"], vec!["--timeout", "'0s'"]),
    ] {
        let output = workspace.run(&[vec!["doctor"], words].concat());
        output.refuses(64, &texts);
        assert!(!output.stderr.contains("hidden"), "{output}");
    }
}

#[test]
fn unreachable_server_exits_with_69() {
    // No server listens on port 1, which needs privileges.
    let output = Workspace::new().run(&["doctor", "postgres://u:hidden@127.0.0.1:1/d"]);
    assert_eq!(output.code, Some(69), "{output}");
    // Without the times in brackets, and without lines that are ok, which depend on this machine.
    let took = |line: &str| line.ends_with("s)").then(|| line.rfind(" (")).flatten();
    let lines = output.stdout.lines().filter(|line| !line.starts_with("  ok "));
    let page: Vec<_> = lines.map(|line| &line[..took(line).unwrap_or(line.len())]).collect();
    insta::assert_snapshot!("doctor_of_nothing", page.join("\n"));
    let json = json(&Workspace::new().run(&["doctor", "postgres://u:hidden@127.0.0.1:1/d", "--json"]).stdout);
    assert_eq!((&json["server"], &json["failed"]), (&"postgres://u@127.0.0.1:1/d".into(), &"tcp".into()));
    let tcp = finding(&json, "tcp");
    assert!(tcp["level"] == "problem" && tcp["advice"].is_string(), "{tcp}");
    assert!(!output.stdout.contains("hidden") && output.stderr.is_empty(), "{output}");
}

#[test]
fn live_server_is_examined() {
    let Some(server) = Postgres::start() else { return };
    let workspace = Workspace::new();
    let url = server.url("Secret-1");
    let output = workspace.run(&["doctor", &url]);
    assert!(
        output.succeeds().stdout.contains("100") && output.stdout.lines().last().unwrap().starts_with("0 "),
        "{output}"
    );
    let tables = server.sql("SELECT count(*) FROM pg_class");
    json_has_all_members(&workspace, &url);
    assert_eq!(server.sql("SELECT count(*) FROM pg_class"), tables);
    problem_exits_with_1(&workspace, &url);
    passwords_are_not_printed(&workspace, &server);
}

fn json_has_all_members(workspace: &Workspace, url: &str) {
    let output = workspace.run(&["doctor", url, "--json"]);
    let json = json(&output.succeeds().stdout);
    let slots = finding(&json, "connection-slots");
    let has = |figure: &str| slots["value"].as_str().unwrap().split_whitespace().any(|word| word == figure);
    assert!(slots["level"] == "ok" && has("100") && has("3"), "100 in all, 3 reserved: {slots}");
    assert_eq!(json["problems"], 0, "{json}");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let findings = json["findings"].as_array().unwrap();
    let mut kinds = BTreeSet::new();
    for finding in findings {
        let stage = if finding.get("took_us").is_some() { "stage" } else { "topic" };
        kinds.insert(format!("{stage}: {}", keys(finding)));
        assert_ne!(finding["source"], "", "{finding}");
    }
    let stages = findings.iter().filter(|finding| finding.get("took_us").is_some());
    let stages: Vec<_> = stages.map(|finding| finding["topic"].as_str().unwrap()).collect();
    let form = format!(
        "{}\nformat {}, failed {}\n{}\nstages {}",
        keys(&json),
        json["format"],
        json["failed"],
        kinds.into_iter().collect::<Vec<_>>().join("\n"),
        stages.join(" ")
    );
    insta::assert_snapshot!(form, @r"
    failed findings format notices problems server
    format 1, failed null
    stage: advice level source took_us topic value
    topic: advice level source topic value
    stages tcp tls sign-in
    ");
}

fn problem_exits_with_1(workspace: &Workspace, url: &str) {
    // Neither side sets keepalive, so it is the system's: by default the first probe is sent after two hours.
    let output = workspace.run(&["doctor", url, "--idle-timeout", "1m"]);
    assert_eq!(output.code, Some(1), "{output}");
    let output = workspace.run(&["doctor", url, "--idle-timeout", "1m", "--json"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert_eq!(finding(&json(&output.stdout), "idle-path")["level"], "problem", "{output}");
}

fn passwords_are_not_printed(workspace: &Workspace, server: &Postgres) {
    let without = server.url("").replace(":@", "@");
    let good = with_variable(workspace, "Secret-1", &[&without]);
    good.succeeds();
    let of_url = workspace.run(&["doctor", &server.url("wrong-Secret-2")]);
    let of_variable = with_variable(workspace, "wrong-Secret-2", &[&without, "--json"]);
    for output in [&of_url, &of_variable] {
        assert_eq!(output.code, Some(69), "{output}");
        assert!(output.stdout.contains("28P01"), "{output}");
    }
    assert_eq!(json(&of_variable.stdout)["failed"], "sign-in");
    for output in [good, of_url, of_variable] {
        assert!(!output.stdout.contains("Secret") && !output.stderr.contains("Secret"), "{output}");
    }
}
