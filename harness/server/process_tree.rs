//! Processes in /proc: their descendants, titles, working directories and states.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Returns a process and all its descendants, parents first.
pub(super) fn with_descendants(root: i32) -> Vec<i32> {
    let parents = parents();
    let mut members = vec![root];
    let mut next = 0;
    while next < members.len() {
        let parent = members[next];
        members.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    members
}

/// Sends a signal to each process; ignores processes that have ended.
pub(super) fn signal_all(pids: &[i32], signal: Signal) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

/// Returns all processes on this machine, each with its parent.
fn parents() -> Vec<(i32, i32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // "pid (name) state parent …": the name may contain spaces and parentheses, so parse after its end.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect()
}

/// Returns the title of a process; `None` if the process has ended. Postgres writes there what the process does.
pub(super) fn title(pid: i32) -> Option<String> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&text).trim_matches(['\0', ' ', '\n']).to_owned())
}

/// Returns whether a process is stopped by SIGSTOP.
pub(super) fn is_stopped(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

/// Stops a process and all its descendants (SIGSTOP), including those forked during the call; returns them.
pub(super) fn freeze(root: i32) -> Vec<i32> {
    let mut known = 0;
    loop {
        let members = with_descendants(root);
        signal_all(&members, Signal::SIGSTOP);
        if members.len() == known {
            return members;
        }
        known = members.len();
    }
}

/// Returns the server processes whose working directory is this folder. Every Postgres and middlebox process that the
/// harness runs has its own folder as working directory.
pub(super) fn processes_in(data: &Path) -> Vec<i32> {
    let lives_here = |pid: &i32| {
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data)
            && title(*pid).is_some_and(|title| is_server_title(&title))
    };
    parents().into_iter().map(|(pid, _)| pid).filter(lives_here).collect()
}

/// Returns whether a title is that of a server program: "/usr/…/bin/postgres -D …", "postgres: checkpointer".
fn is_server_title(title: &str) -> bool {
    let program = title.split(['\0', ' ', ':']).next().unwrap_or_default();
    ["postgres", "initdb", "pgbouncer", "haproxy"].contains(&program.rsplit('/').next().unwrap_or_default())
}
