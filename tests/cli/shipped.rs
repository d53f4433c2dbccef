//! Shipped adapters: `init` lists, copies, prints and builds them; errors about unknown names and missing tools.

use std::fs;

use super::common::{BINARY, RESET, Workspace, output_of};

#[test]
fn adapters_are_listed_and_written() {
    let workspace = Workspace::new();
    let listed = workspace.run(&["init"]);
    assert!(listed.succeeds().stdout.contains("python/\n") && listed.stdout.contains("  psycopg-pool "), "{listed}");

    let written = workspace.run(&["init", "psycopg-pool"]);
    for text in ["cd psycopg-pool", "pip install", "pgsquall conformance --client 'python3 client.py default'"] {
        assert!(written.succeeds().stdout.contains(text), "{written}");
    }
    assert!(workspace.read("psycopg-pool/client.py").contains("ConnectionPool"));
    assert!(workspace.read("psycopg-pool/adapter.py").contains("hello"), "what all of a language share is there too");

    workspace.write("psycopg-pool/client.py", "mine");
    workspace.run(&["init", "psycopg-pool"]).refuses(64, &["File exists", "psycopg-pool"]);
    assert_eq!(workspace.read("psycopg-pool/client.py"), "mine", "nothing is overwritten");
    workspace.run(&["init", "psycopg-pool", "deep/inside"]).succeeds();
    assert!(workspace.holds("deep/inside/adapter.toml"));

    let printed = workspace.run(&["init", "psycopg-pool", "--print"]);
    assert!(printed.succeeds().stdout.contains("==> client.py <==\n"), "{printed}");
    let mut built = workspace.command(BINARY);
    built.args(["init", "psycopg-pool", "--build"]).env("XDG_CACHE_HOME", workspace.path());
    assert!(output_of(built).succeeds().stdout.starts_with("psycopg-pool "));
    assert!(workspace.holds("pgsquall/adapters"));
    workspace.run(&["init", "psycopgpool", "--build"]).refuses(64, &["\"psycopgpool\""]);

    workspace.run(&["init", "psycopgpool"]).refuses(64, &["\"psycopgpool\"", "psycopg-pool, "]);
}

#[test]
fn unknown_profile_is_refused() {
    let workspace = Workspace::new();
    let words = ["run", "connection-reset", "--client", "psycopg:fast"];
    workspace.run(&words).refuses(64, &["psycopg", "\"fast\"", "default", "tuned"]);
}

/// Runs the binary with an empty PATH and an empty cache.
fn bare(workspace: &Workspace, words: &[&str]) -> super::common::Output {
    fs::create_dir_all(workspace.path().join("empty")).unwrap();
    let mut command = workspace.command(BINARY);
    command
        .args(words)
        .env("PATH", workspace.path().join("empty"))
        .env("XDG_CACHE_HOME", workspace.path().join("cache"));
    output_of(command)
}

#[test]
fn missing_tool_is_reported_with_remedy() {
    let workspace = Workspace::new();
    workspace.write("short.toml", RESET);
    let words = ["run", "short.toml", "--server", "local", "--client", "libpq"];
    let missing = bare(&workspace, &words);
    missing.refuses(69, &["cc ", "libpq", "apt install "]);
    assert!(!workspace.holds("pgsquall-runs"), "nothing has begun");
    let left = fs::read_dir(workspace.path().join("cache/pgsquall/adapters")).unwrap().count();
    assert_eq!(left, 0, "a build that failed leaves nothing behind");
}
