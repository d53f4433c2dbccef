//! Adapters that break the protocol or exit: each has its own error or verdict, and no process or folder is left.

use super::common::{Output, RESET, Workspace, YES_MAN, lives, processes_of, until};

const HELLO: &str = r#"echo '{"hello":{"name":"bad","version":"1","concurrency":2}}'"#;

/// Reads one request without answering it; `$id` is then its id.
const ANSWER_ONE: &str = r#"read -r line; id=${line#*:}; id=${id%%,*}"#;

/// Runs a shell script as an adapter; asserts that no process and no folder of the run is left.
fn ask(script: &str, scenario: &str) -> (Workspace, Output) {
    ask_of("sh", script, scenario)
}

fn ask_of(shell: &str, script: &str, scenario: &str) -> (Workspace, Output) {
    let workspace = Workspace::new();
    let marked = format!("sleep 1000 & echo \"$PGSQUALL_RUN $$ $!\" > adapter\n{script}");
    workspace.write("adapter.sh", &marked);
    workspace.write("short.toml", scenario);
    let client = format!("{shell} adapter.sh");
    let output = workspace.run(&["run", "short.toml", "--client", &client, "--out", "out"]);
    let (run, pids) = workspace.adapter();
    assert!(!run.exists(), "{} is still there: {output}", run.display());
    until("the end of the adapter, its child and its server", || {
        !pids.into_iter().any(lives) && processes_of(&run).is_empty()
    });
    (workspace, output)
}

#[test]
fn invalid_hello_is_refused() {
    let (workspace, output) = ask("echo 'Listening on port 80'; sleep 1000", RESET);
    output.refuses(69, &["line 1", "Listening on port 80", "\"hello\"", "stderr"]);
    assert!(!workspace.holds("out"), "nothing came of it");
}

#[test]
fn exit_before_hello_is_reported() {
    let (workspace, output) = ask("echo 'ModuleNotFoundError: no module named psycopg' >&2; exit 3", RESET);
    output.refuses(69, &["exit status 3", "ModuleNotFoundError: no module named psycopg"]);
    // Its stderr is stored; a history is not, because nothing ran.
    assert!(workspace.read("out/short/client.stderr").contains("ModuleNotFoundError"));
    assert!(!workspace.holds("out/short/history.jsonl"));
}

#[test]
fn missing_hello_times_out() {
    let (workspace, output) = ask("sleep 1000", RESET);
    output.refuses(69, &["20.0 s", "{\"hello\":"]);
    assert!(!workspace.holds("out"), "nothing came of it");
}

#[test]
fn protocol_violation_makes_verdict_unknown() {
    let twice = format!("{ANSWER_ONE}; for i in 1 2; do echo \"{{\\\"id\\\":$id,\\\"ok\\\":true}}\"; done; cat >&2");
    let unknown = format!("{ANSWER_ONE}; echo '{{\"id\":987654,\"ok\":true}}'; cat >&2");
    let endless = format!("{ANSWER_ONE}; head -c 100000000 /dev/zero | tr '\\0' x; cat >&2");
    let scripts = [(twice, "once"), (unknown, "987654"), (endless, "1048576")];
    std::thread::scope(|scope| {
        for (script, wrong) in &scripts {
            scope.spawn(move || {
                let (workspace, output) = ask(&format!("{HELLO}; {script}"), RESET);
                assert_eq!(output.code, Some(2), "{output}");
                let verdict = workspace.verdict("out/short");
                assert_eq!(verdict.kind(), "unknown", "{verdict}");
                assert!(verdict.doubts().contains(wrong), "{wrong:?} is not in:\n{verdict}");
                assert!(workspace.read("out/short/history.jsonl").contains("{\"violated\":"), "{output}");
                assert!(output.stdout.len() < 10_000, "a long line is quoted in part: {}", output.stdout.len());
            });
        }
    });
}

#[test]
fn exit_during_fault_fails() {
    // It holds a connection, acknowledges everything, and exits as if by an exception once the fault is in force.
    let connected = format!("exec 3<>/dev/tcp/127.0.0.1/$PGPORT\n{YES_MAN}");
    let dies = connected.replace(
        "; echo \"{\\\"id",
        "; grep -q in-force out/short/history.jsonl && { echo 'Traceback: reset by peer' >&2; exit 7; }; echo \"{\\\"id",
    );
    assert!(dies.contains("exit 7"));
    let (workspace, output) = ask_of("bash", &dies, RESET);
    assert_eq!(output.code, Some(1), "{output}");
    let found = workspace.verdict("out/short").findings("process");
    assert!(found.contains("exit status 7") && found.contains("Traceback: reset by peer"), "{found}");
    assert!(workspace.read("out/short/client.stderr").contains("Traceback"));
}

#[test]
fn exit_before_fault_makes_verdict_unknown() {
    let (workspace, output) = ask(&format!("{HELLO}; {ANSWER_ONE}; echo 'out of memory' >&2; exit 9"), RESET);
    assert_eq!(output.code, Some(2), "{output}");
    let verdict = workspace.verdict("out/short");
    assert_eq!(verdict.kind(), "unknown", "{verdict}");
    let found = verdict.findings("process");
    assert!(found.contains("exit status 9") && found.contains("out of memory"), "{found}");
}
