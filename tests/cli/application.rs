//! Applications that do their own work (`--app`), judged by what passes the gateway.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::common::{Place, Said};

/// The web service of these tests, its visitors, and the question to both whether it is ready; `None` where the first
/// `python3` on PATH lacks its pool.
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
    let visitors = format!("python3 {} {{port}}", script("visitors.py"));
    let app = format!("python3 {} {{port}} {kind}", script("service.py"));
    Some(["--app", &app, "--ready", &format!("{visitors} once"), "--load", &visitors].map(str::to_owned).to_vec())
}

fn shlex_quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

/// Asks a scenario of an application; the folder is for what comes of it.
fn ask(place: &Place, scenario: &str, application: &[String]) -> Said {
    let application: Vec<&str> = application.iter().map(String::as_str).collect();
    place.run(&[&["run", scenario], application.as_slice(), &["-v", "--seed", "7", "--out", "out"]].concat())
}

/// Connections are reset once, and there are five seconds to come back.
fn reset(place: &Place) -> String {
    place.write("reset.toml", super::common::RESET);
    "reset.toml".into()
}

/// Where pgbench is; `None`, and it says so, where it is not.
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
fn a_service_over_a_pool_passes() {
    let Some(application) = service("pool") else { return };
    let place = Place::new();
    let said = ask(&place, &reset(&place), &application);
    assert!(said.succeeds().stdout.contains("1 pass"), "{said}");
    for part in ["recovered, hung operation", "(statements and sign-ins at the gateway)", "--ready", "{port}"] {
        assert!(said.stdout.contains(part), "{part}: {said}");
    }
    // What it asked for by itself is on record, and its output is kept.
    let history = place.read("out/reset/history.jsonl");
    assert!(history.contains("\"kind\":\"statement\"") && !history.contains("\"kind\":\"write\""), "{said}");
    assert!(place.holds("out/reset/client.stdout") && place.holds("out/reset/load.stderr"), "{said}");
}

#[test]
fn a_service_that_keeps_a_broken_connection_fails() {
    let Some(application) = service("stuck") else { return };
    let place = Place::new();
    let said = ask(&place, &reset(&place), &application);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("fails     recovered: not recovered within 5.00 s"), "{said}");
}

#[test]
fn a_service_that_leaves_a_transaction_open_fails() {
    let Some(application) = service("leaves") else { return };
    let place = Place::new();
    let said = ask(&place, &reset(&place), &application);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("fails     connection leak: 1 sessions have been idle in a transaction"), "{said}");
}

#[test]
fn a_service_that_connects_in_a_loop_fails() {
    let Some(application) = service("storm") else { return };
    let place = Place::new();
    place.write(
        "exhausted.toml",
        "schema = 1\ntitle = \"t\"\n[server.settings]\nmax_connections = 20\n[budget]\ntime_to_recover = \"10s\"\n\
         [[fault]]\nkind = \"exhaust-connections\"\nat = \"1s\"\nfor = \"3s\"\n\
         [[fault]]\nkind = \"reset\"\nat = \"1500ms\"\n",
    );
    let said = ask(&place, "exhausted.toml", &application);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("fails     reconnect storm"), "{said}");
}

#[test]
fn it_is_idle_while_its_visitors_pause() {
    let Some(application) = service("pool") else { return };
    let place = Place::new();
    let said = ask(&place, "idle-close", &application);
    assert!(said.succeeds().stdout.contains("1 pass"), "{said}");
}

#[test]
fn pgbench_comes_through_a_stall_and_through_a_reset_only_if_it_is_restarted() {
    let Some(pgbench) = pgbench() else { return };
    let place = Place::new();
    let path = shlex_quoted(&pgbench);
    let app = format!("sh -c \"{path} --initialize --quiet && exec {path} --client 4 --time 120 --rate 400\"");
    let application = ["--app".to_owned(), app];
    place.write(
        "stall.toml",
        "schema = 1\ntitle = \"t\"\n[budget]\ntime_to_recover = \"10s\"\n\
         [[fault]]\nkind = \"stall\"\nat = \"1s\"\nfor = \"2s\"\n",
    );
    let said = ask(&place, "stall.toml", &application);
    assert!(said.succeeds().stdout.contains("1 pass"), "{said}");
    let said = ask(&place, &reset(&place), &application);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("fails     process: the client process ended (exit status 2)"), "{said}");
    let said = ask(&place, &reset(&place), &[&application[..], &["--supervise".to_owned()]].concat());
    assert!(said.succeeds().stdout.contains("process   restarted once, first exit "), "{said}");
}

#[test]
fn what_cannot_be_asked_of_an_application_is_skipped_and_says_why() {
    let place = Place::new();
    let asked = [
        "run",
        "idle-drop",
        "listen-closed",
        "stall-with-deadline",
        "server-certificate-expired",
        "standby-listed-first",
    ];
    let said = place.run(&[&asked[..], &["--app", "sleep 60", "--out", "out"]].concat());
    for reason in [
        "give it its work by --load, which can pause",
        "the client does not listen",
        "the client does not cancel a call after a deadline",
        "TLS would hide from the gateway what the application asks for",
        "the client does not try several hosts",
    ] {
        let told = said.stdout.contains(reason) || said.stderr.contains(reason);
        assert!(told, "{reason}: {said}");
    }
}

#[test]
fn one_that_does_nothing_proves_nothing_and_says_what_it_was_waited_for() {
    let place = Place::new();
    let said = place.run(&["run", &reset(&place), "--app", "true", "--out", "out"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.stdout.contains("the application was not seen at work long enough"), "{said}");
}

#[test]
fn its_options_are_understood_before_anything_is_started() {
    let place = Place::new();
    let refused = |words: &[&str], texts: &[&str]| {
        let said = place.run(&[&["run", "stall"], words].concat());
        said.refuses(64, texts);
    };
    refused(&["--app", "no-such-program"], &["--app \"no-such-program\"", "not in PATH"]);
    refused(&["--app", "true", "--ready", "'open"], &["--ready", "a quote is never closed"]);
    refused(&["--app", "true", "--app-can", "fly"], &["no capability \"fly\"", "multi_host"]);
    refused(&["--app", "true", "--client", "reference"], &["cannot be used with"]);
    refused(&["--load", "true"], &["--app"]);
}
