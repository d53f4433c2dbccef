//! Shipped adapters: `init` lists, copies, prints and builds them; errors about unknown names and missing tools.

use std::fs;

use super::common::{BINARY, RESET, Workspace, said};

#[test]
fn adapters_are_listed_and_written() {
    let place = Workspace::new();
    let listed = place.run(&["init"]);
    assert!(listed.succeeds().stdout.contains("python/\n") && listed.stdout.contains("  psycopg-pool "), "{listed}");

    let written = place.run(&["init", "psycopg-pool"]);
    for text in ["cd psycopg-pool", "pip install", "pgsquall conformance --client 'python3 client.py default'"] {
        assert!(written.succeeds().stdout.contains(text), "{written}");
    }
    assert!(place.read("psycopg-pool/client.py").contains("ConnectionPool"));
    assert!(place.read("psycopg-pool/adapter.py").contains("hello"), "what all of a language share is there too");

    place.write("psycopg-pool/client.py", "mine");
    place.run(&["init", "psycopg-pool"]).refuses(64, &["File exists", "psycopg-pool"]);
    assert_eq!(place.read("psycopg-pool/client.py"), "mine", "nothing is overwritten");
    place.run(&["init", "psycopg-pool", "deep/inside"]).succeeds();
    assert!(place.holds("deep/inside/adapter.toml"));

    let printed = place.run(&["init", "psycopg-pool", "--print"]);
    assert!(printed.succeeds().stdout.contains("==> client.py <==\n"), "{printed}");
    let mut built = place.command(BINARY);
    built.args(["init", "psycopg-pool", "--build"]).env("XDG_CACHE_HOME", place.path());
    assert!(said(built).succeeds().stdout.starts_with("psycopg-pool "));
    assert!(place.holds("pgsquall/adapters"));
    place.run(&["init", "psycopgpool", "--build"]).refuses(64, &["\"psycopgpool\""]);

    place.run(&["init", "psycopgpool"]).refuses(64, &["\"psycopgpool\"", "psycopg-pool, "]);
}

#[test]
fn unknown_profile_is_refused() {
    let place = Workspace::new();
    let words = ["run", "connection-reset", "--client", "psycopg:fast"];
    place.run(&words).refuses(64, &["psycopg", "\"fast\"", "default", "tuned"]);
}

/// Runs the binary with an empty PATH and an empty cache.
fn bare(place: &Workspace, words: &[&str]) -> super::common::Output {
    fs::create_dir_all(place.path().join("empty")).unwrap();
    let mut command = place.command(BINARY);
    command.args(words).env("PATH", place.path().join("empty")).env("XDG_CACHE_HOME", place.path().join("cache"));
    said(command)
}

#[test]
fn missing_tool_is_reported_with_remedy() {
    let place = Workspace::new();
    place.write("short.toml", RESET);
    let words = ["run", "short.toml", "--server", "local", "--client", "libpq"];
    let missing = bare(&place, &words);
    missing.refuses(69, &["cc ", "libpq", "apt install "]);
    assert!(!place.holds("pgsquall-runs"), "nothing has begun");
    let left = fs::read_dir(place.path().join("cache/pgsquall/adapters")).unwrap().count();
    assert_eq!(left, 0, "a build that failed leaves nothing behind");
}
