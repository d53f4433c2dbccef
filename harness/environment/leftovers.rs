//! Removes leftovers of killed runs: folders whose lock is free, their processes, and containers and networks whose
//! label names a process that has ended. Touches nothing of live runs and of other users.
//!
//! Client processes carry the folder's path in their environment; servers and middleboxes have a working directory in
//! the folder.

use std::path::Path;

use super::middlebox;
use crate::run_folder::{self, MARK};
use crate::server;

/// Removes all leftovers; returns a description of each. A failed search for containers is described too.
pub async fn remove() -> Vec<String> {
    let removed = tokio::task::spawn_blocking(remove_folders).await.unwrap_or_default();
    #[cfg(feature = "docker")]
    let removed = removed.into_iter().chain(remove_containers().await).collect();
    removed
}

#[cfg(feature = "docker")]
async fn remove_containers() -> Vec<String> {
    match server::sweep_containers().await {
        Ok(containers) => containers,
        Err(error) => vec![format!("no containers: cannot search for those of killed runs: {error}")],
    }
}

fn remove_folders() -> Vec<String> {
    let mut removed = Vec::new();
    for folder in run_folder::abandoned() {
        let path = folder.path().to_owned();
        let clients = end_marked(&path);
        let servers = server::end_leftovers(&path);
        let middleboxes = usize::from(middlebox::end_leftover(&path));
        drop(folder);
        let mut text = format!("the folder {} of a run that was killed", path.display());
        for (count, what) in [
            (servers, if servers > 1 { "servers" } else { "server" }),
            (middleboxes, "middlebox"),
            (clients, "client process(es)"),
        ] {
            if count > 0 {
                text += &format!(", its {what}");
            }
        }
        if path.exists() {
            text += " (only in part)";
        }
        removed.push(text);
    }
    removed
}

/// Kills the processes whose environment contains the mark of this run; returns how many.
fn end_marked(run: &Path) -> usize {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let mark = format!("{MARK}={}", run.display());
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let pids = entries.flatten().filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()).then_some(pid)
    });
    pids.filter(|pid| kill(Pid::from_raw(*pid), Signal::SIGKILL).is_ok()).count()
}
