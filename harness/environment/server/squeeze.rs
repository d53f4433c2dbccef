//! A limit on the address space of a server's processes, so that allocations fail (53200).
//!
//! The limit is set on the postmaster, and every new backend inherits it. Only the soft limit is lowered, so that
//! raising it again takes no privilege. The postmaster itself asks for next to nothing after its start.

use super::ServerError;

/// What a process may have beyond what the postmaster has now, in bytes. A backend needs more than a megabyte for its
/// caches before its first query; the C library asks for 132 KiB at a time.
const MARGIN: u64 = 256 << 10;

/// Limits the postmaster, and all whom it will beget.
pub(super) fn squeeze(postmaster: i32) -> Result<(), ServerError> {
    let failed = |reason: String| ServerError::Control { doing: "limit the memory of", reason };
    let path = format!("/proc/{postmaster}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| failed(format!("{path}: {error}")))?;
    // "VmSize:   219312 kB"
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.split_whitespace().next()?.parse().ok());
    let size: u64 = size.ok_or_else(|| failed(format!("{path} has no VmSize")))?;
    limit(postmaster, Some(size * 1024 + MARGIN))
}

/// Gives back what [`squeeze`] took.
pub(super) fn release(postmaster: i32) -> Result<(), ServerError> {
    limit(postmaster, None)
}

/// Sets the soft limit; `None`: as far as the hard one allows.
#[cfg(target_os = "linux")]
fn limit(process: i32, soft: Option<u64>) -> Result<(), ServerError> {
    let failed = |_| {
        let reason = std::io::Error::last_os_error().to_string();
        ServerError::Control { doing: "limit the memory of", reason }
    };
    let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both pointers are to one whole rlimit of ours, or null, which prlimit(2) allows.
    let call = |new: *const libc::rlimit, old: *mut libc::rlimit| match unsafe {
        libc::prlimit(process, libc::RLIMIT_AS, new, old)
    } {
        0 => Ok(()),
        _ => Err(()),
    };
    call(std::ptr::null(), &mut found).map_err(failed)?;
    let wanted = libc::rlimit { rlim_cur: soft.unwrap_or(found.rlim_max).min(found.rlim_max), ..found };
    call(&wanted, std::ptr::null_mut()).map_err(failed)
}

#[cfg(not(target_os = "linux"))]
fn limit(_process: i32, _soft: Option<u64>) -> Result<(), ServerError> {
    Err(ServerError::Control { doing: "limit the memory of", reason: "only Linux can do that from outside".into() })
}
