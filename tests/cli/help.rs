//! The output of `--help`, `list` and `show`.

use super::common::{BINARY, Output, Workspace, said};

#[test]
fn help_has_examples_and_exit_codes() {
    let place = Workspace::new();
    let help = place.run(&["--help"]);
    insta::assert_snapshot!("help", help.succeeds().stdout);
    let has_codes = |help: &Output| {
        for code in ["0", "1", "2", "64", "69", "70", "130"] {
            help.line(code);
        }
    };
    has_codes(&help);
    for verb in ["run", "list", "show", "check", "proxy", "conformance", "judge"] {
        help.line(verb);
        let help = place.run(&[verb, "--help"]);
        let example = format!("\n  pgsquall {verb}");
        assert!(help.succeeds().stdout.contains(&example), "no example in: {help}");
    }
    let help = place.run(&["run", "--help"]);
    has_codes(&help);
    assert!(place.run(&["--version"]).succeeds().stdout.starts_with("pgsquall "));
}

#[test]
fn list_names_scenarios_clients_and_planes() {
    let said = Workspace::new().run(&["list"]);
    for word in ["connection-reset", "reference", "never-reconnects", "auto", "docker"] {
        said.line(word);
    }
    said.kernel_plane();
    let (data, _) = pgsquall::environment::storage();
    assert!(said.stdout.contains(&data.display().to_string()), "{said}");
}

#[test]
fn list_marks_scenarios_skipped_on_external_server() {
    let said = Workspace::new().run(&["list", "--server", "postgres://u:hidden@127.0.0.1/d"]);
    said.succeeds();
    // If a scenario is skipped, the reason follows the title in brackets.
    for name in
        ["connection-reset", "commit-reply-lost", "connect-hang", "slow-network", "firewall-terminate", "idle-close"]
    {
        assert!(!said.line(name).contains('['), "{said}");
    }
    assert!(said.line("restart-fast").contains("[") && said.line("wrong-password").contains("["), "{said}");
    assert!(said.stdout.contains("postgres://u@127.0.0.1:5432/d") && !said.stdout.contains("hidden"), "{said}");
}

#[test]
fn list_reports_missing_server() {
    let said = Workspace::new().run(&["list", "--server", "local:/nowhere"]);
    assert_eq!(said.code, Some(69), "{said}");
    assert!(said.stdout.contains("/nowhere"), "{said}");
}

#[test]
fn show_prints_a_valid_scenario() {
    let place = Workspace::new();
    for scenario in pgsquall::scenario::catalogue() {
        let shown = place.run(&["show", &scenario.name]);
        assert!(shown.succeeds().stdout.contains("# at "), "{shown}");
        let file = format!("{}.toml", scenario.name);
        place.write(&file, &shown.stdout);
        assert!(place.run(&["check", &file]).succeeds().stdout.contains(&scenario.title));
    }
    place.run(&["show", "restart"]).refuses(64, &["restart-fast", "restart-immediate"]);
}

#[test]
fn broken_pipe_is_not_an_error() {
    let place = Workspace::new();
    let mut command = place.command("sh");
    // The reader has ended before anything is written, so that every line is written to a broken pipe.
    command.args(["-c", "{ sleep 0.5; \"$0\" list 2>&1; echo \"code $?\" >&2; } | true", BINARY]);
    let said = said(command);
    assert_eq!(said.stderr, "code 0\n");
}
