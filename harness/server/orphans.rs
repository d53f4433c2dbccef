//! What a server can leave behind that outlives its folder: processes and a segment of shared memory.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::process_tree::{inhabitants, signal_all};

/// Makes sure that what works in a folder, a data folder's server above all, is gone, whoever started it, and that its
/// shared memory is too.
///
/// Returns whether there was a process to end. Only for folders of our own: a process must be a program that we run,
/// with the folder as its working directory, so that a pid used again by somebody else is left alone.
pub(crate) fn end_orphan(data: &Path) -> bool {
    // As the kernel names it, which is how it is compared.
    let Ok(data) = fs::canonicalize(data) else { return false };
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let eldest = pid_file.lines().next().and_then(|pid| pid.trim().parse::<i32>().ok());
    let members = inhabitants(&data);
    let ended = !members.is_empty();
    if ended {
        match eldest.filter(|pid| members.contains(pid)) {
            // It ends its children itself.
            Some(pid) => signal_all(&[pid], Signal::SIGQUIT),
            // Children of one that was killed: nobody is left to see to them.
            None => signal_all(&members, Signal::SIGKILL),
        }
        signal_all(&members, Signal::SIGCONT);
        let (patience, end) = (Instant::now() + Duration::from_secs(5), Instant::now() + Duration::from_secs(10));
        loop {
            let left = inhabitants(&data);
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

/// The id of the small System V segment by which a server guards its data folder: line 7 of postmaster.pid, "key id".
fn segment(pid_file: &str) -> Option<i32> {
    pid_file.lines().nth(6)?.split_whitespace().nth(1)?.parse().ok()
}

/// Whether a process is still attached to the shared memory of the server that used this data folder last. For as
/// long as that is so, Postgres refuses to start there ("pre-existing shared memory block is still in use").
pub(super) fn is_guarded(data: &Path) -> bool {
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let Some(id) = segment(&pid_file) else { return false };
    // SAFETY: an all-zero shmid_ds is a valid value, and IPC_STAT writes one whole; the id is checked by the kernel.
    unsafe {
        let mut found: libc::shmid_ds = std::mem::zeroed();
        libc::shmctl(id, libc::IPC_STAT, &mut found) == 0 && found.shm_nattch > 0
    }
}

/// Removes the segment. A server that ends in any orderly way removes it itself; one that was killed leaves it to its
/// next start, which may never come.
fn remove_shared_memory(pid_file: &str) {
    if let Some(id) = segment(pid_file) {
        // SAFETY: IPC_RMID takes no buffer, so the pointer may be null. An id that is gone, or is not ours, is refused
        // by the kernel; one with processes attached lives on until they leave.
        unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}
