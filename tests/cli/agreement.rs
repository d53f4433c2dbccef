//! The same scenario with the same client has the same verdict and server errors on local binaries and in a container.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::common::{IMAGE, Workspace, docker_is_here};

/// Short versions of shipped scenarios: the name and the lines of the fault.
const SHORT: [(&str, &str); 3] = [
    ("restart-fast", "kind = \"restart\"\nmode = \"fast\"\nfor = \"2s\""),
    ("session-terminated", "kind = \"terminate-sessions\""),
    ("connections-exhausted", "kind = \"exhaust-connections\"\nfor = \"2s\""),
];

/// "The database system is starting up". Not compared: local binaries start within 30 ms, a container takes ten times
/// as long, so it is chance whether a client connects in that time.
const PASSING: &str = "57P03";

/// Runs the scenarios; returns what is compared: each verdict, and which SQLSTATEs the server logged for the client.
fn answers(workspace: &Workspace, server: &str, out: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let files = SHORT.map(|(name, _)| format!("{name}.toml"));
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let words = [&["run"], files.as_slice(), &["--server", server, "--out", out]].concat();
    let output = workspace.run(&words);
    assert_eq!(output.code, Some(0), "{output}");
    let answer = |(name, _): (&str, &str)| {
        let verdict = workspace.verdict(&format!("{out}/{name}"));
        let history = workspace.read(&format!("{out}/{name}/history.jsonl"));
        let events = history.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let errors = events.filter_map(|event| event.get("server-errors").and_then(Value::as_object).cloned());
        let codes = errors.flat_map(|errors| errors.keys().cloned().collect::<Vec<_>>());
        let errors: BTreeSet<_> = codes.filter(|code| code != PASSING).collect();
        (name.to_owned(), (verdict.kind().to_owned(), errors))
    };
    SHORT.map(answer).into()
}

#[test]
fn local_and_docker_agree() {
    if !docker_is_here() {
        return;
    }
    let workspace = Workspace::new();
    for (name, fault) in SHORT {
        let settings = "[server.settings]\nmax_connections = 20\n[budget]\ntime_to_recover = \"30s\"\n";
        let text = format!("schema = 1\ntitle = \"Short\"\n{settings}[[fault]]\nat = \"500ms\"\n{fault}\n");
        workspace.write(&format!("{name}.toml"), &text);
    }
    let local = answers(&workspace, "local", "local");
    let docker = answers(&workspace, &format!("docker:{IMAGE}"), "docker");
    assert_eq!(local, docker);
    for (name, code) in [("restart-fast", "57P01"), ("session-terminated", "57P01"), ("connections-exhausted", "53300")]
    {
        assert!(local[name].1.contains(code), "{name}: {:?}", local[name]);
    }
}
