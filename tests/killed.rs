//! After `kill -9`, the next run removes the processes, folders and containers that were left, and says so. It does not
//! touch runs that are still going on.
//!
//! As root, each test uses its own Unix user, because any run of the same user may be the one that removes leftovers.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use common::{
    BINARY, FROZEN, IMAGE, Output, RESET, Running, Workspace, YES_MAN, docker_is_here, is_root, lives, output_of,
    processes_of, signal, until,
};

/// Starts a run and waits until its fault is in force. Its adapter writes to the file `name`, for
/// `Workspace::adapter_of`.
fn frozen_run(place: &Workspace, user: &str, group: Option<u32>, name: &str, server: &str) -> Running {
    run_of(FROZEN, place, user, group, name, server)
}

fn run_of(scenario: &str, place: &Workspace, user: &str, group: Option<u32>, name: &str, server: &str) -> Running {
    let adapter = YES_MAN.replace("> adapter", &format!("> {name}"));
    place.write(&format!("{name}.sh"), &adapter);
    place.write(&format!("{name}.toml"), scenario);
    let mut command = place.as_user(user, group);
    command.args(["run", &format!("{name}.toml"), "--server", server, "--out", &format!("out-{name}")]);
    command.args(["--client", &format!("sh {name}.sh")]);
    let mut child = Running::start(command);
    place.wait_for(&format!("out-{name}/{name}/history.jsonl"), "in-force", &mut child);
    child
}

fn next_run(place: &Workspace, user: &str, group: Option<u32>) -> Output {
    place.write("short.toml", RESET);
    let mut command = place.as_user(user, group);
    command.args(["run", "short.toml", "--server", "local", "--out", "out"]);
    output_of(command)
}

#[test]
fn the_next_run_removes_servers_clients_and_folders() {
    let (place, user) = (Workspace::new(), "daemon");
    let mut live = frozen_run(&place, user, None, "live", "local");
    let mut killed = frozen_run(&place, user, None, "killed", "local");
    let (live_run, live_pids) = place.adapter_of("live");
    let (run, pids) = place.adapter_of("killed");
    signal(&killed, Signal::SIGKILL);
    killed.wait().unwrap();
    assert!(run.exists() && !processes_of(&run).is_empty(), "a server was left behind");
    assert!(pids.into_iter().any(lives), "an adapter was left behind");

    let output = next_run(&place, user, None);
    assert_eq!(place.report("out").endings(), ["short pass"], "{}", output.succeeds());
    // If this test has no Unix user of its own, another run may have removed the leftovers first.
    if is_root() {
        for part in [&run.display().to_string(), "server", "client"] {
            assert!(output.line_about(&run).contains(part), "{part}: {output}");
        }
    }
    assert!(!run.exists(), "{output}");
    until("the end of every process", || processes_of(&run).is_empty() && !pids.into_iter().any(lives));

    assert!(live.try_wait().unwrap().is_none(), "the live run has ended");
    assert!(live_run.exists() && !processes_of(&live_run).is_empty() && live_pids.into_iter().all(lives));
    assert!(!output.stderr.contains(&live_run.display().to_string()), "{output}");
    signal(&live, Signal::SIGTERM);
    let output = Output::of(&mut live);
    assert_eq!(output.code, Some(130), "{output}");
    assert!(!live_run.exists());
}

#[test]
fn the_next_run_removes_middleboxes() {
    let (place, user) = (Workspace::new(), "games");
    for program in ["pgbouncer", "haproxy"] {
        if !["/usr/sbin", "/usr/bin"].iter().any(|folder| Path::new(folder).join(program).is_file()) {
            println!("skipped: {program} is not installed");
            continue;
        }
        let scenario = format!("{FROZEN}[path]\nthrough = \"{program}\"\n");
        let mut killed = run_of(&scenario, &place, user, None, program, "local");
        let (run, _) = place.adapter_of(program);
        let is_program =
            |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == program);
        let left: Vec<u32> = processes_of(&run).into_iter().filter(is_program).collect();
        assert_eq!(left.len(), 1, "{program} does not run in {}", run.display());
        signal(&killed, Signal::SIGKILL);
        killed.wait().unwrap();
        assert!(left.iter().copied().all(lives), "{program} was not left behind");

        let output = next_run(&place, user, None);
        if is_root() {
            for part in ["server", "middlebox", "client"] {
                assert!(output.succeeds().line_about(&run).contains(part), "{part}: {output}");
            }
        }
        assert!(!run.exists(), "{output}");
        until("its end", || processes_of(&run).is_empty() && !left.iter().copied().any(lives));
    }
}

#[test]
fn the_next_run_removes_containers() {
    let socket = Path::new("/var/run/docker.sock");
    if !docker_is_here() || !socket.exists() {
        return;
    }
    let (place, user) = (Workspace::new(), "bin");
    let group = Some(fs::metadata(socket).unwrap().gid());
    let server = format!("docker:{IMAGE}");
    let mut live = frozen_run(&place, user, group, "live", &server);
    let mut killed = frozen_run(&place, user, group, "killed", &server);
    let ((live_run, _), (run, _)) = (place.adapter_of("live"), place.adapter_of("killed"));
    let containers = |run: &Path| {
        let label = format!("label=pgsquall.run={}", run.display());
        let output = Command::new("docker").args(["ps", "-aq", "--filter", &label]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    signal(&killed, Signal::SIGKILL);
    killed.wait().unwrap();
    assert_ne!(containers(&run), "", "a container was left behind");

    // A run does not wait for a busy Docker engine; then a later run removes the container.
    let mut told = String::new();
    until("the container's end", || {
        told += &next_run(&place, user, group).succeeds().stderr;
        containers(&run).is_empty()
    });
    if is_root() {
        assert!(told.contains("container ") && told.contains(&run.display().to_string()), "{told}");
    }
    assert!(!run.exists(), "{told}");
    assert_ne!(containers(&live_run), "", "the live run has lost its container: {told}");
    signal(&live, Signal::SIGINT);
    let output = Output::of(&mut live);
    assert_eq!(output.code, Some(130), "{output}");
    assert_eq!(containers(&live_run), "", "{output}");
}

/// `ci/killed-runs.sh` does the same with many more runs.
#[test]
fn killed_kernel_plane_runs_leave_nothing() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/killed_runs.py");
    let python = |place: &Workspace, program: &str, words: &[&str]| {
        let mut command = place.command(program);
        command.args(words).arg(&script).args(["--shared", "--runs", "10", "--every", "5", "--binary", BINARY]);
        command
    };
    if !script.exists() || Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: no ci/killed_runs.py here, or no python3");
        return;
    }
    let place = Workspace::new();
    if place.run(&["list"]).kernel_plane().is_missing() {
        return;
    }
    // As root in a new network namespace, so that there are no other runs in it.
    let alone = ["--net", "sh", "-c", "ip link set lo up && exec python3 \"$@\"", "sh"];
    let output = output_of(if is_root() { python(&place, "unshare", &alone) } else { python(&place, "python3", &[]) });
    println!("{output}");
    assert!(output.succeeds().stdout.contains("0 left over"), "{output}");
    assert!(output.stdout.contains(" killed\n"), "nothing was killed: {output}");
}
