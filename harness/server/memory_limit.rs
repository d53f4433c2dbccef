//! A limit on the address space of a server's processes, so that allocations fail (53200).
//!
//! The limit is set on the postmaster, and every new backend inherits it. Only the soft limit is lowered, so that
//! raising it again takes no privilege; and a process of the server's own user does both, since root in a container may
//! lack the privilege to limit others. The postmaster itself asks for next to nothing after its start.

use std::process::{Command, Stdio};

use super::ServerError;

/// What a process may have beyond what the postmaster has now, in bytes. A backend needs more than a megabyte for its
/// caches before its first query; with 64 to 512 KiB it ends with 53200 before that (15, measured).
const MARGIN: u64 = 256 << 10;

/// Whose server it is: `None` is the user we are.
type User = Option<(u32, u32)>;

/// Limits the postmaster, and all whom it will beget.
pub(super) fn squeeze(postmaster: i32, user: User) -> Result<(), ServerError> {
    let failed = |reason: String| ServerError::Control { doing: "limit the memory of", reason };
    let path = format!("/proc/{postmaster}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| failed(format!("{path}: {error}")))?;
    // "VmSize:   219312 kB"
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.split_whitespace().next()?.parse().ok());
    let size: u64 = size.ok_or_else(|| failed(format!("{path} has no VmSize")))?;
    limit(postmaster, user, Some(size * 1024 + MARGIN))
}

/// Gives back what [`squeeze`] took.
pub(super) fn release(postmaster: i32, user: User) -> Result<(), ServerError> {
    limit(postmaster, user, None)
}

/// Sets the soft limit; `None`: as far as the hard one allows.
fn limit(process: i32, user: User, soft: Option<u64>) -> Result<(), ServerError> {
    use std::io;
    use std::os::unix::process::CommandExt;

    let set = move || {
        let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: each pointer is to one whole rlimit of ours, or null, which prlimit(2) allows.
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
    // What runs does not matter; what it does before it runs is the whole of it.
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
