//! Leftovers of a server that outlive its folder: processes and a segment of shared memory.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::process_tree::{processes_in, signal_all};

/// Ends all processes whose working directory is this data folder, also orphaned ones, and removes their
/// shared memory.
///
/// Returns whether there was a process to end. Only for folders of the harness: a process must be a program that the
/// harness runs, with the folder as its working directory, so that a reused pid is left alone.
pub(crate) fn end_orphan(data: &Path) -> bool {
    // Canonical, because it is compared with the kernel's path.
    let Ok(data) = fs::canonicalize(data) else { return false };
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let eldest = pid_file.lines().next().and_then(|pid| pid.trim().parse::<i32>().ok());
    let members = processes_in(&data);
    let ended = !members.is_empty();
    if ended {
        match eldest.filter(|pid| members.contains(pid)) {
            // The postmaster ends its children itself.
            Some(pid) => signal_all(&[pid], Signal::SIGQUIT),
            // Children of a killed postmaster have to be killed too.
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

/// The id of the System V segment with which a server locks its data folder: line 7 of postmaster.pid, "key id".
fn segment(pid_file: &str) -> Option<i32> {
    pid_file.lines().nth(6)?.split_whitespace().nth(1)?.parse().ok()
}

/// Whether a process is still attached to the shared memory of this data folder's last server. While one is, Postgres
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

/// Removes the segment. A server that ends in order removes it itself; a killed one leaves it to its next start, which
/// may never happen.
fn remove_shared_memory(pid_file: &str) {
    if let Some(id) = segment(pid_file) {
        // SAFETY: IPC_RMID takes no buffer, so the pointer may be null. The kernel refuses an id that is gone or
        // belongs to another user, and keeps a segment with attached processes until they detach.
        unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}
