//! Applications with a workload of their own (`--app`), judged by their traffic through the gateway.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::common::{Output, Workspace};

/// Returns the options for the web service of these tests: `--app`, `--ready` and `--load`. `None`, with a message,
/// if the first `python3` on PATH lacks psycopg_pool.
fn service(kind: &str) -> Option<Vec<String>> {
    let import = ["-c", "import psycopg, psycopg_pool"];
    let found = Command::new("python3").args(import).output().is_ok_and(|out| out.status.success());
    assert!(found || std::env::var_os("PGSQUALL_TEST_ADAPTERS").is_none(), "python3 cannot import psycopg_pool");
    if !found {
        println!("skipped: python3 has no psycopg_pool");
        return None;
    }
    let common = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common");
    let script = |name: &str| shlex_quoted(&common.join(name));
    let visitors = format!("python3 {} {{port}}", script("load.py"));
    let app = format!("python3 {} {{port}} {kind}", script("service.py"));
    Some(["--app", &app, "--ready", &format!("{visitors} once"), "--load", &visitors].map(str::to_owned).to_vec())
}

fn shlex_quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

/// Runs a scenario with an application; results are in `out`.
fn ask(workspace: &Workspace, scenario: &str, application: &[String]) -> Output {
    let application: Vec<&str> = application.iter().map(String::as_str).collect();
    workspace.run(&[&["run", scenario], application.as_slice(), &["-v", "--seed", "7", "--out", "out"]].concat())
}

/// Asserts that the only run is of this scenario and has passed.
#[track_caller]
fn passes(workspace: &Workspace, scenario: &str, output: &Output) {
    output.succeeds();
    assert_eq!(workspace.report("out").endings(), [format!("{scenario} pass")], "{output}");
}

/// Writes a scenario with one reset and a budget of five seconds; returns the file's name.
fn reset(workspace: &Workspace) -> String {
    workspace.write("reset.toml", super::common::RESET);
    "reset.toml".into()
}

/// Finds pgbench; `None`, with a message, if it is not installed.
fn pgbench() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let of_versions = installed.map(|version| version.path().join("bin"));
    let found = std::env::split_paths(&folders).chain(of_versions).map(|folder| folder.join("pgbench"));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: there is no pgbench here");
    }
    found
}

#[test]
fn pooled_service_passes() {
    let Some(application) = service("pool") else { return };
    let workspace = Workspace::new();
    let output = ask(&workspace, &reset(&workspace), &application);
    passes(&workspace, "reset", &output);
    let verdict = workspace.verdict("out/reset");
    assert_eq!((verdict.check("recovered"), verdict.check("hung-operation")), ("pass", "pass"), "{verdict}");
    assert!(verdict.at("/application/load").is_string(), "{verdict}");
    for part in ["--ready", "{port}"] {
        assert!(output.stdout.contains(part), "{part}: {output}");
    }
    // The history has the service's own statements, none of the harness; the output of service and load is stored.
    let history = workspace.read("out/reset/history.jsonl");
    assert!(history.contains("\"kind\":\"statement\"") && !history.contains("\"kind\":\"write\""), "{output}");
    assert!(workspace.holds("out/reset/client.stdout") && workspace.holds("out/reset/load.stderr"), "{output}");
}

#[test]
fn service_with_broken_connection_fails() {
    let Some(application) = service("stuck") else { return };
    let workspace = Workspace::new();
    let output = ask(&workspace, &reset(&workspace), &application);
    assert_eq!(output.code, Some(1), "{output}");
    let verdict = workspace.verdict("out/reset");
    assert_eq!(verdict.check("recovered"), "fail", "{verdict}");
    let recovery = serde_json::json!({"state": "censored", "beyond_us": 5_000_000});
    assert_eq!(verdict.at("/measures/time_to_recover"), &recovery, "{verdict}");
}

#[test]
fn service_with_open_transaction_fails() {
    let Some(application) = service("leaves") else { return };
    let workspace = Workspace::new();
    let output = ask(&workspace, &reset(&workspace), &application);
    assert_eq!(output.code, Some(1), "{output}");
    let verdict = workspace.verdict("out/reset");
    assert_eq!(verdict.check("connection-leak"), "fail", "{verdict}");
    assert!(workspace.read("out/reset/history.jsonl").contains("\"idle_in_transaction\":1}"), "{verdict}");
}

#[test]
fn service_that_connects_in_a_loop_fails() {
    let Some(application) = service("storm") else { return };
    let workspace = Workspace::new();
    workspace.write(
        "exhausted.toml",
        "schema = 1\ntitle = \"t\"\n[server.settings]\nmax_connections = 20\n[budget]\ntime_to_recover = \"10s\"\n\
         [[fault]]\nkind = \"exhaust-connections\"\nat = \"1s\"\nfor = \"3s\"\n",
    );
    let output = ask(&workspace, "exhausted.toml", &application);
    assert_eq!(output.code, Some(1), "{output}");
    let verdict = workspace.verdict("out/exhausted");
    assert_eq!(verdict.check("reconnect-storm"), "fail", "{verdict}");
}

#[test]
fn service_passes_idle_close_while_load_pauses() {
    let Some(application) = service("pool") else { return };
    let workspace = Workspace::new();
    let output = ask(&workspace, "idle-close", &application);
    passes(&workspace, "idle-close", &output);
}

#[test]
fn pgbench_passes_stall_and_supervised_reset() {
    let Some(pgbench) = pgbench() else { return };
    let workspace = Workspace::new();
    let path = shlex_quoted(&pgbench);
    let app = format!("sh -c \"{path} --initialize --quiet && exec {path} --client 4 --time 120 --rate 400\"");
    let application = ["--app".to_owned(), app];
    workspace.write(
        "stall.toml",
        "schema = 1\ntitle = \"t\"\n[budget]\ntime_to_recover = \"10s\"\n\
         [[fault]]\nkind = \"stall\"\nat = \"1s\"\nfor = \"2s\"\n",
    );
    let output = ask(&workspace, "stall.toml", &application);
    passes(&workspace, "stall", &output);
    let output = ask(&workspace, &reset(&workspace), &application);
    assert_eq!(output.code, Some(1), "{output}");
    let found = workspace.verdict("out/reset").findings("process");
    assert!(found.contains("exit status 2"), "{found}");
    workspace.write("patient.toml", &super::common::RESET.replace("\"5s\"", "\"30s\""));
    let supervised = [&application[..], &["--supervise".to_owned()]].concat();
    let output = ask(&workspace, "patient.toml", &supervised);
    passes(&workspace, "patient", &output);
    assert_eq!(workspace.verdict("out/patient").at("/measures/restarts/restarted"), 1, "{output}");
    assert!(output.stdout.contains("--supervise"), "{output}");
}

#[test]
fn unsupported_scenarios_are_skipped_with_reason() {
    let workspace = Workspace::new();
    // Each scenario with a word of its reason.
    let asked = [
        ("idle-drop", "--load"),
        ("listen-closed", "listen"),
        ("stall-with-deadline", "deadline"),
        ("server-certificate-expired", "TLS"),
        ("standby-listed-first", "hosts"),
        ("connection-reset-with-waiters", "callers"),
    ];
    let words = ["--app", "sleep 60", "--out", "out", "--report", "json=skipped.json"];
    let output = workspace.run(&[&["run"], &asked.map(|(scenario, _)| scenario)[..], &words].concat());
    let report = workspace.report("skipped.json");
    for (scenario, reason) in asked {
        assert!(report.skipped(scenario).contains(reason), "{reason}: {output}");
        assert!(output.stdout.contains(report.skipped(scenario)), "{scenario}: {output}");
    }
}

#[test]
fn application_without_traffic_is_unknown() {
    let workspace = Workspace::new();
    let output = workspace.run(&["run", &reset(&workspace), "--app", "true", "--out", "out"]);
    assert_eq!(output.code, Some(2), "{output}");
    let verdict = workspace.verdict("out/reset");
    assert_eq!(verdict.kind(), "unknown", "{verdict}");
    assert!(verdict.doubts().contains("application"), "{verdict}");
}

#[test]
fn invalid_application_options_are_refused() {
    let workspace = Workspace::new();
    let refused = |words: &[&str], texts: &[&str]| {
        let output = workspace.run(&[&["run", "stall"], words].concat());
        output.refuses(64, texts);
    };
    refused(&["--app", "no-such-program"], &["--app \"no-such-program\"", "PATH"]);
    refused(&["--app", "true", "--ready", "'open"], &["--ready", "quote"]);
    refused(&["--app", "true", "--app-capability", "fly"], &["\"fly\"", "multi_host"]);
    refused(&["--app", "true", "--client", "reference"], &["--app", "--client"]);
    refused(&["--load", "true"], &["--app"]);
}
