//! A limit on the address space of a server's processes, so that allocations fail (53200).
//!
//! The postmaster gets the limit, and every new backend inherits it; existing backends keep theirs. The postmaster
//! itself allocates almost nothing after its start. Only the soft limit is lowered, because raising it again needs no
//! privilege. A process of the server's own user sets the limit, because root in a container may lack the privilege to
//! limit other users' processes. Servers in containers have a cgroup limit instead, at which the kernel kills (57P02).

use std::process::{Command, Stdio};

use super::ServerError;

/// Address space that a process may allocate beyond the postmaster's present size, in bytes. A backend needs more than
/// 1 MB for its caches before its first query; with 64 to 512 KiB it fails with 53200 (measured with Postgres 15).
const MARGIN: u64 = 256 << 10;

/// The server's user; `None`: the current one.
type User = Option<(u32, u32)>;

/// Limits the postmaster and all processes that it forks later.
///
/// *Errors*: the postmaster's size cannot be read, or the limit cannot be set.
pub(super) fn squeeze(postmaster: i32, user: User) -> Result<(), ServerError> {
    let failed = |reason: String| ServerError::Control { doing: "limit the memory of", reason };
    let path = format!("/proc/{postmaster}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| failed(format!("{path}: {error}")))?;
    // "VmSize:   219312 kB"
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.split_whitespace().next()?.parse().ok());
    let size: u64 = size.ok_or_else(|| failed(format!("{path} has no VmSize")))?;
    limit(postmaster, user, Some(size * 1024 + MARGIN))
}

/// Raises the limit of [`squeeze`] to the hard limit. *Errors* are the same.
pub(super) fn release(postmaster: i32, user: User) -> Result<(), ServerError> {
    limit(postmaster, user, None)
}

/// Sets the soft limit, in bytes; `None`: to the hard limit.
fn limit(process: i32, user: User, soft: Option<u64>) -> Result<(), ServerError> {
    use std::io;
    use std::os::unix::process::CommandExt;

    let set = move || {
        let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: each pointer is to a local rlimit, or null, which prlimit(2) allows.
        let call = |new: *const libc::rlimit, old: *mut libc::rlimit| match unsafe {
            libc::prlimit(process, libc::RLIMIT_AS, new, old)
        } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        };
        call(std::ptr::null(), &mut found)?;
        let wanted = libc::rlimit { rlim_cur: soft.unwrap_or(found.rlim_max).min(found.rlim_max), ..found };
        call(&wanted, std::ptr::null_mut())
    };
    // Any program will do, because the limit is set between fork and exec.
    let mut command = Command::new("true");
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    // SAFETY: between fork and exec two system calls are made, and nothing is allocated.
    unsafe { command.pre_exec(set) };
    match command.status() {
        Ok(_) => Ok(()),
        Err(error) => Err(ServerError::Control { doing: "limit the memory of", reason: error.to_string() }),
    }
}
