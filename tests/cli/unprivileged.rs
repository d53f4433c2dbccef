//! Runs as a user without privileges and with an empty home, on the proxy plane and on the kernel plane.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::unistd::User;

use super::common::{SHORT_BLACKHOLE, Workspace, is_root, output_of, until};

#[test]
fn unprivileged_user_runs_a_scenario() {
    if !is_root() {
        println!("skipped: all other tests already run without privileges");
        return;
    }
    let workspace = Workspace::new();
    let mut command = workspace.as_user("nobody", None);
    command.args(["run", "connection-reset", "--server", "local", "--out", "out"]);
    let output = output_of(command);
    assert_eq!(workspace.report("out").endings(), ["connection-reset pass"], "{}", output.succeeds());
    assert!(workspace.holds(".cache/pgsquall"), "its template is in its own home");
}

#[test]
fn unprivileged_blackhole_leaves_nothing() {
    if !is_root() {
        println!("skipped: only root can run as a user without other processes");
        return;
    }
    let (workspace, name) = (Workspace::new(), "mail");
    let mut command = workspace.as_user(name, None);
    command.args(["list", "--server", "local"]);
    let list = output_of(command);
    let plane = list.kernel_plane();
    if plane.is_missing() {
        return;
    }
    assert!(plane.process && !plane.in_process, "{list}");

    workspace.write("short.toml", SHORT_BLACKHOLE);
    let mut command = workspace.as_user(name, None);
    command.args(["run", "short.toml", "--server", "local", "--out", "out", "--verbose"]);
    let output = output_of(command);
    let verdict = workspace.report("out").verdict("short");
    assert_eq!((verdict.kind(), verdict.at("/plane")), ("pass", &"kernel".into()), "{}", output.succeeds());
    assert!(verdict.evidence() > 0, "packets were dropped: {verdict}");

    let user = User::from_name(name).unwrap().unwrap().uid.as_raw();
    let entries = |folder: &str| fs::read_dir(folder).into_iter().flatten().flatten().collect::<Vec<_>>();
    until("the end of every process", || {
        !entries("/proc").iter().any(|entry| {
            let is_process = entry.file_name().to_string_lossy().parse::<u32>().is_ok();
            is_process && entry.metadata().is_ok_and(|found| found.uid() == user)
        })
    });
    for folder in ["/dev/shm", "/tmp"] {
        let left: Vec<_> = entries(folder)
            .iter()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|entry| entry.contains(&format!("pgsquall-{user}-")))
            .collect();
        assert!(left.is_empty(), "in {folder}: {left:?}");
    }
}
