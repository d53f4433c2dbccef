//! Invalid arguments: one error with the cause and the fix, and nothing left behind.
//!
//! Tests check the names in an error; the last test's snapshot keeps the wording.

use pgsquall::client::reference::built_in;

use super::common::{RESET, Workspace};

/// Asserts that `pgsquall run` refuses these arguments and leaves nothing in its folder.
#[track_caller]
fn refused(words: &[&str], code: i32, texts: &[&str]) {
    let workspace = Workspace::new();
    workspace.run(&[&["run"], words].concat()).refuses(code, texts);
    let left: Vec<_> = std::fs::read_dir(workspace.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn unknown_scenario_is_refused() {
    refused(&["conection-reset"], 64, &["connection-reset", "pgsquall list"]);
    refused(&["nothing-like-it"], 64, &["nothing-like-it", "pgsquall list"]);
    refused(&["there/is/no.toml"], 64, &["there/is/no.toml", "hint: "]);
    let twice = ["connection-reset", "stall", "connection-reset"];
    refused(&twice, 64, &["connection-reset", "--repeat N"]);
}

#[test]
fn unknown_client_is_refused() {
    refused(&["--client", "referense"], 64, &["reference, never-reconnects", "referense", "PATH"]);
    refused(&["--client", "./adapter.py"], 64, &["./adapter.py"]);
    refused(&["--client", "python3 'adapter.py"], 64, &["quote"]);
}

#[test]
fn unknown_device_is_refused() {
    refused(&["idle-drop", "--device", "azure"], 64, &["\"azure\"", "aws-nlb, azure-lb"]);
    refused(&["idle-drop", "--device", "nginx", "--scale", "0"], 64, &["--scale"]);
    refused(&["idle-drop", "--scale", "5"], 64, &["--device"]);
    let texts = ["connection-reset", "azure-lb", "idle-close, idle-drop"];
    refused(&["idle-drop", "connection-reset", "--device", "azure-lb"], 64, &texts);
}

#[test]
fn invalid_server_is_refused() {
    refused(&["--server", "local:/nowhere"], 69, &["/nowhere", "postgres"]);
    refused(&["--server", "mysql://u:hidden@x"], 64, &["--server", "@x\"", "docker:IMAGE"]);
    refused(&["--server", "docker:"], 64, &["docker:"]);
    refused(&["--server", "postgres://u:p@h:port/d"], 64, &["postgres://user:password@host:5432/database"]);
    refused(&["--server", "postgres://u:p@h/d?sslmode=require"], 64, &["TLS", "sslmode=prefer"]);
    refused(&["--server", "postgres:///d"], 64, &["postgres://user:password@host:5432/database"]);
}

#[test]
fn unreachable_server_is_one_error() {
    // No server listens on port 1, which needs privileges.
    let url = "postgres://u:hidden@127.0.0.1:1/d";
    let texts = ["postgres://u@127.0.0.1:1/d", "refused", "connection-reset, stall"];
    refused(&["connection-reset", "stall", "--server", url, "--out", "out"], 69, &texts);
    refused(&["connection-reset", "--server", "postgres://u:p@no-such-host.invalid/d"], 69, &["no-such-host.invalid"]);
}

#[test]
fn passwords_are_not_printed() {
    for (server, code) in [
        ("mysql://u:hidden@x", 64),
        ("postgres//u:hidden@x/d", 64),
        ("postgres://u:hidden@h:port/d", 64),
        ("postgres://u:hidden@127.0.0.1:1/d", 69),
    ] {
        let output = Workspace::new().run(&["run", "connection-reset", "--server", server]);
        assert_eq!(output.code, Some(code), "{output}");
        assert!(!output.stderr.contains("hidden") && !output.stdout.contains("hidden"), "{output}");
    }
}

#[test]
fn missing_docker_is_reported() {
    let workspace = Workspace::new();
    let mut command = workspace.command(super::common::BINARY);
    command.env("DOCKER_HOST", "unix:///nowhere");
    command.args(["run", "connection-reset", "restart-fast", "--server", "docker"]);
    let texts = ["/nowhere", "docker info", "connection-reset, restart-fast"];
    super::common::output_of(command).refuses(69, &texts);
    assert!(!workspace.holds("pgsquall-runs"));
}

#[test]
fn values_out_of_range_are_refused() {
    refused(&["--budget", "5"], 64, &["--budget", "\"5s\"", "\"5ms\""]);
    refused(&["--budget", "0s"], 64, &["--budget", "'0s'"]);
    refused(&["--budget", "soon"], 64, &["\"soon\"", "\"500ms\""]);
    refused(&["--repeat", "0"], 64, &["--repeat", "1..=10000"]);
    refused(&["--jobs", "0"], 64, &["--jobs", "1..=512"]);
    refused(&["--seed", "x"], 64, &["--seed", "'x'"]);
    refused(&["--colour"], 64, &["--colour", "--help"]);
}

#[test]
fn unwritable_folder_is_refused() {
    // Not even root can create a folder in /proc or inside a file.
    refused(&["--out", "/proc/pgsquall"], 64, &["/proc/pgsquall", "--out DIR"]);
    let workspace = Workspace::new();
    let file = workspace.write("file", RESET);
    let inside = file.join("out");
    let output = workspace.run(&["run", "connection-reset", "--out", inside.to_str().unwrap()]);
    output.refuses(64, &[inside.to_str().unwrap(), "--out DIR"]);
}

#[test]
fn missing_command_prints_usage() {
    let output = Workspace::new().run(&[]);
    assert_eq!(output.code, Some(64), "{output}");
    assert!(output.stderr.contains("pgsquall <COMMAND>"), "{output}");
}

/// Keeps the wording of errors in a snapshot: what is wrong, and what to do.
#[test]
fn error_texts_match_snapshot() {
    let asked: [&[&str]; 13] = [
        &["run", "conection-reset"],
        &["run", "there/is/no.toml"],
        &["run", "stall", "connection-reset", "stall"],
        &["run", "--client", "referense"],
        &["run", "--client", "./adapter.py"],
        &["run", "--client", "psycopg:fast"],
        &["run", "idle-drop", "connection-reset", "--device", "azure-lb"],
        &["run", "--server", "local:/nowhere"],
        &["run", "--server", "mysql://u:p@h/d"],
        &["run", "stall", "--server", "postgres://u:p@127.0.0.1:1/d", "--seed", "1"],
        &["run", "--budget", "5"],
        &["run", "stall", "--shard", "2/2", "--seed", "1"],
        &["judge", "missing"],
    ];
    let workspace = Workspace::new();
    let version = format!("pgsquall {}", env!("CARGO_PKG_VERSION"));
    let errors = asked.map(|words| {
        let output = workspace.run(words);
        format!("$ pgsquall {}\n{}exit code {}\n", words.join(" "), output.stderr, output.code.unwrap())
    });
    // A new built-in client does not change the snapshot.
    let clients = built_in().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    insta::assert_snapshot!(
        "errors",
        errors.join("\n").replace(&version, "pgsquall VERSION").replace(&clients, "CLIENTS")
    );
}
