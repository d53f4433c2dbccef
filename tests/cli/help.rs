//! The output of `--help`, `list` and `show`.

use super::common::{BINARY, Output, Workspace, output_of};

#[test]
fn help_has_examples_and_exit_codes() {
    let workspace = Workspace::new();
    let help = workspace.run(&["--help"]);
    insta::assert_snapshot!("help", help.succeeds().stdout);
    let has_codes = |help: &Output| {
        for code in ["0", "1", "2", "64", "69", "70", "130"] {
            help.line(code);
        }
    };
    has_codes(&help);
    for verb in ["run", "list", "show", "check", "proxy", "conformance", "judge"] {
        help.line(verb);
        let help = workspace.run(&[verb, "--help"]);
        let example = format!("\n  pgsquall {verb}");
        assert!(help.succeeds().stdout.contains(&example), "no example in: {help}");
    }
    let help = workspace.run(&["run", "--help"]);
    has_codes(&help);
    assert!(workspace.run(&["--version"]).succeeds().stdout.starts_with("pgsquall "));
}

#[test]
fn list_names_scenarios_clients_and_planes() {
    let output = Workspace::new().run(&["list"]);
    for word in ["connection-reset", "reference", "never-reconnects", "auto", "docker"] {
        output.line(word);
    }
    output.kernel_plane();
    let (data, _) = pgsquall::environment::storage();
    assert!(output.stdout.contains(&data.display().to_string()), "{output}");
}

#[test]
fn list_marks_scenarios_skipped_on_external_server() {
    let output = Workspace::new().run(&["list", "--server", "postgres://u:hidden@127.0.0.1/d"]);
    output.succeeds();
    // If a scenario is skipped, the reason follows the title in brackets.
    for name in
        ["connection-reset", "commit-reply-lost", "connect-hang", "slow-network", "firewall-terminate", "idle-close"]
    {
        assert!(!output.line(name).contains('['), "{output}");
    }
    assert!(output.line("restart-fast").contains("[") && output.line("wrong-password").contains("["), "{output}");
    assert!(output.stdout.contains("postgres://u@127.0.0.1:5432/d") && !output.stdout.contains("hidden"), "{output}");
}

#[test]
fn list_reports_missing_server() {
    let output = Workspace::new().run(&["list", "--server", "local:/nowhere"]);
    assert_eq!(output.code, Some(69), "{output}");
    assert!(output.stdout.contains("/nowhere"), "{output}");
}

#[test]
fn show_prints_a_valid_scenario() {
    let workspace = Workspace::new();
    for scenario in pgsquall::scenario::catalogue() {
        let shown = workspace.run(&["show", &scenario.name]);
        assert!(shown.succeeds().stdout.contains("# at "), "{shown}");
        let file = format!("{}.toml", scenario.name);
        workspace.write(&file, &shown.stdout);
        assert!(workspace.run(&["check", &file]).succeeds().stdout.contains(&scenario.title));
    }
    workspace.run(&["show", "restart"]).refuses(64, &["restart-fast", "restart-immediate"]);
}

#[test]
fn broken_pipe_is_not_an_error() {
    let workspace = Workspace::new();
    let mut command = workspace.command("sh");
    // The reader has ended before anything is written, so that every line is written to a broken pipe.
    command.args(["-c", "{ sleep 0.5; \"$0\" list 2>&1; echo \"code $?\" >&2; } | true", BINARY]);
    let output = output_of(command);
    assert_eq!(output.stderr, "code 0\n");
}
