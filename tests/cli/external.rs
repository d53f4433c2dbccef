//! An external server: pgsquall changes only the network path, and one table, which is dropped afterwards.

use nix::sys::signal::Signal;

use super::common::postgres::Postgres;
use super::common::{Output, RESET, Workspace, signal};

const LEDGER: &str = "SELECT to_regclass('pgsquall_ledger') IS NOT NULL";

#[test]
fn network_faults_run_and_others_are_skipped() {
    let Some(server) = Postgres::start() else { return };
    let place = Workspace::new();
    place.write("short.toml", RESET);
    let url = server.url("Secret-1");
    let said = place.run(&["run", "short.toml", "restart-fast", "--server", &url, "--out", "out"]);
    said.succeeds();
    let report = place.report("out");
    assert_eq!(report.endings(), ["short pass", "restart-fast skipped"], "{said}");
    let reason = report.skipped("restart-fast");
    assert!(reason.contains("restart") && said.stdout.contains(reason), "{reason}: {said}");
    assert!(said.stderr.contains(&format!("postgres://squall@127.0.0.1:{}/postgres", server.port)), "{said}");
    assert!(!place.holds("out/restart-fast"));
    assert!(place.read("out/short/history.jsonl").contains("\"external\""));
    for text in [said.stdout, said.stderr, place.read("out/short/history.jsonl"), place.read("out/short/verdict.json")]
    {
        assert!(!text.contains("Secret-1"), "a password is in:\n{text}");
    }
    assert_eq!(server.sql(LEDGER), "f");

    // A command of which every scenario is skipped does not pass.
    let said = place.run(&["run", "restart-fast", "--server", &url, "--report", "json=nothing.json"]);
    assert_eq!(said.code, Some(69), "{said}");
    assert_eq!(place.report("nothing.json").endings(), ["restart-fast skipped"], "{said}");

    wrong_password_is_refused(&place, &server);
    foreign_table_is_left_alone(&place, &server);
    stopped_run_drops_its_ledger(&place, &server);
    failed_client_leaves_no_ledger(&place, &server);
}

fn wrong_password_is_refused(place: &Workspace, server: &Postgres) {
    let said = place.run(&["run", "short.toml", "--server", &server.url("wrong-Secret-2"), "--out", "none"]);
    said.refuses(69, &["postgres://squall@", "password authentication failed for user \"squall\""]);
    assert!(!said.stderr.contains("Secret-2"), "{said}");
    assert!(!place.holds("none"));
}

fn foreign_table_is_left_alone(place: &Workspace, server: &Postgres) {
    server.sql("CREATE TABLE pgsquall_ledger (mine int); INSERT INTO pgsquall_ledger VALUES (42)");
    let said = place.run(&["run", "short.toml", "--server", &server.url("Secret-1")]);
    said.refuses(64, &["pgsquall_ledger", "database"]);
    assert_eq!(server.sql("SELECT mine FROM pgsquall_ledger"), "42");
    server.sql("DROP TABLE pgsquall_ledger");
}

fn stopped_run_drops_its_ledger(place: &Workspace, server: &Postgres) {
    let url = server.url("Secret-1");
    let words = ["run", "stall", "--server", &url, "--out", "stopped"];
    let mut child = place.start(&words);
    place.wait_for("stopped/stall/history.jsonl", "in-force", &mut child);
    assert_eq!(server.sql(LEDGER), "t");
    signal(&child, Signal::SIGINT);
    let said = Output::of(&mut child);
    assert_eq!(said.code, Some(130), "{said}");
    assert_eq!(server.sql(LEDGER), "f", "{said}");
}

fn failed_client_leaves_no_ledger(place: &Workspace, server: &Postgres) {
    let words = ["run", "short.toml", "--client", "sh -c 'exit 3'", "--server", &server.url("Secret-1")];
    place.run(&words).refuses(69, &["exit status 3"]);
    assert_eq!(server.sql(LEDGER), "f");
}
