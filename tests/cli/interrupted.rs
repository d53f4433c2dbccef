//! Ctrl-C, SIGTERM as a CI system sends after its time limit, and SIGHUP of a closed terminal: the run heals its fault,
//! and ends within seconds without leaving a process, folder or container.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::common::{FROZEN, IMAGE, Output, Workspace, YES_MAN, docker_is_here, lives, processes_of, signal, until};

/// Time limit for an end that takes a fraction of a second on an idle machine.
const SOON: Duration = Duration::from_secs(20);

/// Stops a run during its fault, and asserts that nothing is left. Returns the path of the run's removed folder.
fn stopped_by(with: Signal, server: &str) -> std::path::PathBuf {
    let workspace = Workspace::new();
    workspace.write("frozen.toml", FROZEN);
    workspace.write("adapter.sh", YES_MAN);
    let client = "sh adapter.sh";
    let words =
        ["run", "frozen.toml", "--client", client, "--server", server, "--out", "out", "--report", "json=end.json"];
    let mut child = workspace.start(&words);
    workspace.wait_for("out/frozen/history.jsonl", "in-force", &mut child);
    let (run, pids) = workspace.adapter();
    assert!(pids.into_iter().all(lives) && run.exists());
    assert_eq!(processes_of(&run).is_empty(), server != "local");

    signal(&child, with);
    let began = Instant::now();
    let output = Output::of(&mut child);
    assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
    assert_eq!(output.code, Some(130), "{output}");
    assert_eq!(workspace.report("end.json").endings(), ["frozen stopped"], "{output}");
    assert!(!output.stderr.contains("panicked"), "{output}");
    assert!(!run.exists(), "{} is still there", run.display());
    until("the end of every process", || !pids.into_iter().any(lives) && processes_of(&run).is_empty());
    run
}

#[test]
fn sigint_cleans_up() {
    stopped_by(Signal::SIGINT, "local");
}

#[test]
fn sigterm_cleans_up() {
    stopped_by(Signal::SIGTERM, "local");
}

#[test]
fn sighup_cleans_up() {
    stopped_by(Signal::SIGHUP, "local");
}

#[test]
fn sigint_removes_container() {
    if !docker_is_here() {
        return;
    }
    let run = stopped_by(Signal::SIGINT, &format!("docker:{IMAGE}"));
    let label = format!("label=pgsquall.run={}", run.display());
    let left = Command::new("docker").args(["ps", "-aq", "--filter", &label]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}
