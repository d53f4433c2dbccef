//! `pgsquall doctor`: exit codes, the form of its JSON, and that it never prints a password.

use std::collections::BTreeSet;

use serde_json::Value;

use super::common::postgres::Postgres;
use super::common::{BINARY, Output, Workspace, said};

/// Runs `pgsquall doctor` with the password in PGPASSWORD, where `ps` does not show it.
fn with_variable(place: &Workspace, password: &str, words: &[&str]) -> Output {
    let mut command = place.command(BINARY);
    command.arg("doctor").args(words).env("PGPASSWORD", password);
    said(command)
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
    let place = Workspace::new();
    for (words, texts) in [
        (vec!["mysql://u:hidden@h/d"], vec!["postgres://user:password@host"]),
        (vec!["postgres://u:hidden@h:port/d"], vec!["postgres://user:password@host"]),
        (vec!["postgres://u:hidden@h/d?sslmode=strict"], vec!["verify-full"]),
        (vec!["postgres://u@h/d", "--idle-timeout", "5"], vec!["--idle-timeout", "\"5s\""]),
        (vec!["postgres://u@h/d", "--timeout", "0s"], vec!["--timeout", "'0s'"]),
    ] {
        let said = place.run(&[vec!["doctor"], words].concat());
        said.refuses(64, &texts);
        assert!(!said.stderr.contains("hidden"), "{said}");
    }
}

#[test]
fn unreachable_server_exits_with_69() {
    // No server listens on port 1, which needs privileges.
    let said = Workspace::new().run(&["doctor", "postgres://u:hidden@127.0.0.1:1/d"]);
    assert_eq!(said.code, Some(69), "{said}");
    // Without the times in brackets, and without lines that are ok, which depend on this machine.
    let took = |line: &str| line.ends_with("s)").then(|| line.rfind(" (")).flatten();
    let lines = said.stdout.lines().filter(|line| !line.starts_with("  ok "));
    let page: Vec<_> = lines.map(|line| &line[..took(line).unwrap_or(line.len())]).collect();
    insta::assert_snapshot!("doctor_of_nothing", page.join("\n"));
    let json = json(&Workspace::new().run(&["doctor", "postgres://u:hidden@127.0.0.1:1/d", "--json"]).stdout);
    assert_eq!((&json["server"], &json["failed"]), (&"postgres://u@127.0.0.1:1/d".into(), &"tcp".into()));
    let tcp = finding(&json, "tcp");
    assert!(tcp["level"] == "problem" && tcp["advice"].is_string(), "{tcp}");
    assert!(!said.stdout.contains("hidden") && said.stderr.is_empty(), "{said}");
}

#[test]
fn live_server_is_examined() {
    let Some(server) = Postgres::start() else { return };
    let place = Workspace::new();
    let url = server.url("Secret-1");
    let said = place.run(&["doctor", &url]);
    assert!(said.succeeds().stdout.contains("100") && said.stdout.lines().last().unwrap().starts_with("0 "), "{said}");
    let tables = server.sql("SELECT count(*) FROM pg_class");
    json_has_all_members(&place, &url);
    assert_eq!(server.sql("SELECT count(*) FROM pg_class"), tables);
    problem_exits_with_1(&place, &url);
    passwords_are_not_printed(&place, &server);
}

fn json_has_all_members(place: &Workspace, url: &str) {
    let said = place.run(&["doctor", url, "--json"]);
    let json = json(&said.succeeds().stdout);
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

fn problem_exits_with_1(place: &Workspace, url: &str) {
    // Neither side sets keepalive, so it is the system's: by default the first probe is sent after two hours.
    let said = place.run(&["doctor", url, "--idle-timeout", "1m"]);
    assert_eq!(said.code, Some(1), "{said}");
    let said = place.run(&["doctor", url, "--idle-timeout", "1m", "--json"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert_eq!(finding(&json(&said.stdout), "idle-path")["level"], "problem", "{said}");
}

fn passwords_are_not_printed(place: &Workspace, server: &Postgres) {
    let without = server.url("").replace(":@", "@");
    let good = with_variable(place, "Secret-1", &[&without]);
    good.succeeds();
    let of_url = place.run(&["doctor", &server.url("wrong-Secret-2")]);
    let of_variable = with_variable(place, "wrong-Secret-2", &[&without, "--json"]);
    for said in [&of_url, &of_variable] {
        assert_eq!(said.code, Some(69), "{said}");
        assert!(said.stdout.contains("28P01"), "{said}");
    }
    assert_eq!(json(&of_variable.stdout)["failed"], "sign-in");
    for said in [good, of_url, of_variable] {
        assert!(!said.stdout.contains("Secret") && !said.stderr.contains("Secret"), "{said}");
    }
}
