//! Processes seen from outside: who descends from whom, what each calls itself, where it works, whether it is frozen.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process and all that descend from it, the eldest first.
pub(super) fn family(eldest: i32) -> Vec<i32> {
    let parents = parents();
    let mut members = vec![eldest];
    let mut next = 0;
    while next < members.len() {
        let parent = members[next];
        members.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    members
}

/// Sends a signal to each; one that has gone meanwhile is none of our business.
pub(super) fn signal_all(pids: &[i32], signal: Signal) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

/// Every process with its parent.
fn parents() -> Vec<(i32, i32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // "pid (name) state parent …"; a name may hold spaces and parentheses, so look from its end.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect()
}

/// What a process calls itself; Postgres writes there what each of its processes does.
pub(super) fn title(pid: i32) -> Option<String> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&text).trim_matches(['\0', ' ', '\n']).to_owned())
}

/// Whether a process is frozen.
pub(super) fn is_stopped(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

/// Freezes a process and all that descend from it, also what is being born meanwhile.
pub(super) fn freeze(eldest: i32) -> Vec<i32> {
    let mut known = 0;
    loop {
        let members = family(eldest);
        signal_all(&members, Signal::SIGSTOP);
        if members.len() == known {
            return members;
        }
        known = members.len();
    }
}

/// The processes of programs that we run that have this folder as their working directory, as every process
/// of a server has, and what stands before it.
pub(super) fn inhabitants(data: &Path) -> Vec<i32> {
    let lives_here = |pid: &i32| {
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data)
            && title(*pid).is_some_and(|title| is_of_ours(&title))
    };
    parents().into_iter().map(|(pid, _)| pid).filter(lives_here).collect()
}

/// Whether a title is that of a program that we run: "/usr/…/bin/postgres -D …", "postgres: checkpointer".
fn is_of_ours(title: &str) -> bool {
    let program = title.split(['\0', ' ', ':']).next().unwrap_or_default();
    ["postgres", "initdb", "pgbouncer", "haproxy"].contains(&program.rsplit('/').next().unwrap_or_default())
}
