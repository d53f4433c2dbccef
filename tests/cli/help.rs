//! What the program says of itself.

use super::common::{BINARY, Place, said};

#[test]
fn help_has_examples_and_the_table_of_exit_codes() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    let text = &help.succeeds().stdout;
    for code in ["0 ", "1 ", "2 ", "64 ", "69 ", "70 ", "130 "] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(code)), "{code} is not in:\n{text}");
    }
    for verb in ["run", "list", "show", "check", "proxy", "conformance", "judge"] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(verb)), "{verb} is not in:\n{text}");
        let help = place.run(&[verb, "--help"]);
        let example = format!("\n  pgsquall {verb}");
        assert!(help.succeeds().stdout.contains(&example), "no example in: {help}");
    }
    assert!(place.run(&["run", "--help"]).stdout.contains("Exit codes:"));
    assert!(place.run(&["--version"]).succeeds().stdout.starts_with("pgsquall "));
}

#[test]
fn list_names_scenarios_clients_and_what_this_machine_has() {
    let said = Place::new().run(&["list"]);
    for text in ["connection-reset ", "reference ", "never-reconnects ", "auto ", "docker ", "data folders "] {
        assert!(said.stdout.lines().any(|line| line.trim_start().starts_with(text)), "{text:?} is not in:\n{said}");
    }
}

#[test]
fn list_says_what_a_server_of_somebody_else_cannot_show() {
    let said = Place::new().run(&["list", "--server", "postgres://u:hidden@127.0.0.1/d"]);
    said.succeeds();
    let line = |name: &str| said.stdout.lines().find(|line| line.trim_start().starts_with(name)).unwrap().to_owned();
    for name in
        ["connection-reset ", "commit-reply-lost", "connect-hang", "slow-network", "firewall-terminate", "idle-close"]
    {
        assert!(!line(name).contains("skipped"), "{said}");
    }
    assert!(line("restart-fast").contains("[skipped here: restart (fast) would have to change a server"), "{said}");
    assert!(line("wrong-password").contains("skipped here"), "{said}");
    assert!(said.stdout.contains("postgres://u@127.0.0.1:5432/d") && !said.stdout.contains("hidden"), "{said}");
}

#[test]
fn list_of_a_server_that_is_not_here() {
    let said = Place::new().run(&["list", "--server", "local:/nowhere"]);
    assert_eq!(said.code, Some(69), "{said}");
    assert!(said.stdout.contains("not here: /nowhere: no program postgres"), "{said}");
}

#[test]
fn what_show_prints_is_a_scenario_again() {
    let place = Place::new();
    for scenario in pgsquall::scenario::catalogue() {
        let shown = place.run(&["show", &scenario.name]);
        assert!(shown.succeeds().stdout.contains("# at "), "{shown}");
        let file = format!("{}.toml", scenario.name);
        place.write(&file, &shown.stdout);
        assert!(place.run(&["check", &file]).succeeds().stdout.contains(&scenario.title));
    }
    place.run(&["show", "restart"]).refuses(64, &["did you mean restart-fast or restart-immediate"]);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let place = Place::new();
    let mut command = place.command("sh");
    // The reader is gone before anything is written, so that every line meets a broken pipe.
    command.args(["-c", "{ sleep 0.5; \"$0\" list 2>&1; echo \"code $?\" >&2; } | true", BINARY]);
    let said = said(command);
    assert_eq!(said.stderr, "code 0\n");
}
