//! An external server: pgsquall changes only the network path, and one table, which is dropped afterwards.

use nix::sys::signal::Signal;

use super::common::postgres::Postgres;
use super::common::{Output, RESET, Workspace, signal};

const LEDGER: &str = "SELECT to_regclass('pgsquall_ledger') IS NOT NULL";

#[test]
fn network_faults_run_and_others_are_skipped() {
    let Some(server) = Postgres::start() else { return };
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let url = server.url("Secret-1");
    let output = workspace.run(&["run", "short.toml", "restart-fast", "--server", &url, "--out", "out"]);
    output.succeeds();
    let report = workspace.report("out");
    assert_eq!(report.endings(), ["short pass", "restart-fast skipped"], "{output}");
    let reason = report.skipped("restart-fast");
    assert!(reason.contains("restart") && output.stdout.contains(reason), "{reason}: {output}");
    assert!(output.stderr.contains(&format!("postgres://squall@127.0.0.1:{}/postgres", server.port)), "{output}");
    assert!(!workspace.holds("out/restart-fast"));
    assert!(workspace.read("out/short/history.jsonl").contains("\"external\""));
    for text in [
        output.stdout,
        output.stderr,
        workspace.read("out/short/history.jsonl"),
        workspace.read("out/short/verdict.json"),
    ] {
        assert!(!text.contains("Secret-1"), "a password is in:\n{text}");
    }
    assert_eq!(server.sql(LEDGER), "f");

    // A command of which every scenario is skipped does not pass.
    let output = workspace.run(&["run", "restart-fast", "--server", &url, "--report", "json=nothing.json"]);
    assert_eq!(output.code, Some(69), "{output}");
    assert_eq!(workspace.report("nothing.json").endings(), ["restart-fast skipped"], "{output}");

    wrong_password_is_refused(&workspace, &server);
    foreign_table_is_left_alone(&workspace, &server);
    stopped_run_drops_its_ledger(&workspace, &server);
    failed_client_leaves_no_ledger(&workspace, &server);
}

fn wrong_password_is_refused(workspace: &Workspace, server: &Postgres) {
    let output = workspace.run(&["run", "short.toml", "--server", &server.url("wrong-Secret-2"), "--out", "none"]);
    output.refuses(69, &["postgres://squall@", "password authentication failed for user \"squall\""]);
    assert!(!output.stderr.contains("Secret-2"), "{output}");
    assert!(!workspace.holds("none"));
}

fn foreign_table_is_left_alone(workspace: &Workspace, server: &Postgres) {
    server.sql("CREATE TABLE pgsquall_ledger (mine int); INSERT INTO pgsquall_ledger VALUES (42)");
    let output = workspace.run(&["run", "short.toml", "--server", &server.url("Secret-1")]);
    output.refuses(64, &["pgsquall_ledger", "database"]);
    assert_eq!(server.sql("SELECT mine FROM pgsquall_ledger"), "42");
    server.sql("DROP TABLE pgsquall_ledger");
}

fn stopped_run_drops_its_ledger(workspace: &Workspace, server: &Postgres) {
    let url = server.url("Secret-1");
    let words = ["run", "stall", "--server", &url, "--out", "stopped"];
    let mut child = workspace.start(&words);
    workspace.wait_for("stopped/stall/history.jsonl", "in-force", &mut child);
    assert_eq!(server.sql(LEDGER), "t");
    signal(&child, Signal::SIGINT);
    let output = Output::of(&mut child);
    assert_eq!(output.code, Some(130), "{output}");
    assert_eq!(server.sql(LEDGER), "f", "{output}");
}

fn failed_client_leaves_no_ledger(workspace: &Workspace, server: &Postgres) {
    let words = ["run", "short.toml", "--client", "sh -c 'exit 3'", "--server", &server.url("Secret-1")];
    workspace.run(&words).refuses(69, &["exit status 3"]);
    assert_eq!(server.sql(LEDGER), "f");
}
