//! Ends the processes of a server or middlebox by its folder, and removes the server's segment of shared memory.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::process_tree::{processes_in, signal_all};

/// Ends all server processes in this folder, including orphans of a killed postmaster, and removes their shared memory.
///
/// Returns whether there was such a process. A process counts only if it runs a program of the harness and has the
/// folder as its working directory, so that a reused pid is never signalled. Waits at most 10 s; kills after 5 s.
pub(crate) fn end_orphan(data: &Path) -> bool {
    // The kernel reports working directories as canonical paths.
    let Ok(data) = fs::canonicalize(data) else { return false };
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let eldest = pid_file.lines().next().and_then(|pid| pid.trim().parse::<i32>().ok());
    let members = processes_in(&data);
    let ended = !members.is_empty();
    if ended {
        match eldest.filter(|pid| members.contains(pid)) {
            // The postmaster ends its own children.
            Some(pid) => signal_all(&[pid], Signal::SIGQUIT),
            // The postmaster has ended, or this is a middlebox.
            None => signal_all(&members, Signal::SIGKILL),
        }
        signal_all(&members, Signal::SIGCONT);
        let (patience, end) = (Instant::now() + Duration::from_secs(5), Instant::now() + Duration::from_secs(10));
        loop {
            let left = processes_in(&data);
            if left.is_empty() || Instant::now() >= end {
                break;
            }
            if Instant::now() >= patience {
                signal_all(&left, Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    remove_shared_memory(&pid_file);
    ended
}

/// Returns the id of the System V segment that guards a data folder: line 7 of postmaster.pid, "key id".
fn segment(pid_file: &str) -> Option<i32> {
    pid_file.lines().nth(6)?.split_whitespace().nth(1)?.parse().ok()
}

/// Returns whether a process is still attached to the shared memory of the last server in this folder. If so, Postgres
/// refuses to start there ("pre-existing shared memory block is still in use").
pub(super) fn is_guarded(data: &Path) -> bool {
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let Some(id) = segment(&pid_file) else { return false };
    // SAFETY: an all-zero shmid_ds is a valid value, and IPC_STAT writes one whole; the id is checked by the kernel.
    unsafe {
        let mut found: libc::shmid_ds = std::mem::zeroed();
        libc::shmctl(id, libc::IPC_STAT, &mut found) == 0 && found.shm_nattch > 0
    }
}

/// Removes the segment of a killed server. Postgres itself would remove it only at its next start in this folder.
fn remove_shared_memory(pid_file: &str) {
    if let Some(id) = segment(pid_file) {
        // SAFETY: IPC_RMID takes no buffer, so the pointer may be null. The kernel refuses an id that does not exist or
        // belongs to another user, and keeps a segment with attached processes until they detach.
        unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}
