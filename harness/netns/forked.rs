//! Work in a forked child, which enters a namespace, makes a few system calls there, and sends back the descriptors
//! that it opened.
//!
//! A thread of a multi-threaded process cannot enter a user namespace, and would have to leave a network namespace
//! again; a short-lived child can enter both. A descriptor that the child opens still belongs to the namespace after
//! it is sent to another process.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// Time limit of a child. It makes a few system calls, which are slow if many namespaces are created and removed at the
/// same time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Interval between checks for the exit of a child, which exits right after its answer.
const POLL_INTERVAL: Duration = Duration::from_micros(100);

/// Time limit for the exit of a killed child. It takes milliseconds unless the child is blocked in the kernel; such a
/// child is left behind.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// Room for the descriptors of one child in a control message, in bytes: more than any child sends back.
const CONTROL: usize = 128;

/// Runs `work` in a forked child; returns the descriptors that it opened.
///
/// *Safety of the work*: it runs between `fork` and `_exit` in a copy of a process that may have other threads, so it
/// must only make system calls on prepared data, and allocate nothing.
///
/// *Errors*: those of the work and of the fork; the child dies, or does not answer in time.
pub(super) fn run_in_child<const N: usize>(work: impl FnOnce() -> io::Result<[RawFd; N]>) -> io::Result<[OwnedFd; N]> {
    run_in_child_within(PATIENCE, work)
}

fn run_in_child_within<const N: usize>(
    limit: Duration,
    work: impl FnOnce() -> io::Result<[RawFd; N]>,
) -> io::Result<[OwnedFd; N]> {
    const { assert!(N * size_of::<RawFd>() <= CONTROL / 2) }
    let (parent_end, child_end) = pair()?;
    // A signal delivered to the child would run the parent's handlers there.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child makes system calls and leaves by `_exit`; see above.
    let forked = unsafe { fork() };
    if let Ok(ForkResult::Child) = forked {
        // Dropped on a panic too, so that the child never runs the parent's code.
        let exit_on_drop = ExitOnDrop;
        let answered = match work() {
            Ok(opened) => send(child_end.as_raw_fd(), 0, &opened),
            Err(error) => send(child_end.as_raw_fd(), error.raw_os_error().unwrap_or(libc::EIO), &[]),
        };
        // If the answer cannot be sent, the parent sees the end of the stream.
        let _ = answered;
        drop(exit_on_drop);
    }
    let restored = before.thread_set_mask();
    let ForkResult::Parent { child } = forked? else { return Err(io::ErrorKind::Other.into()) };
    drop(child_end);
    let deadline = Instant::now() + limit;
    let received = wait_readable(deadline, &parent_end).and_then(|()| receive(parent_end.as_raw_fd()));
    if !wait_for_exit(deadline, child) {
        // Not reaped yet, so its pid cannot belong to another process.
        let _ = kill(child, Signal::SIGKILL);
        wait_for_exit(Instant::now() + KILL_TIMEOUT, child);
    }
    restored?;
    let (code, opened) = received?;
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    opened.try_into().map_err(|_| io::Error::other("the child returned another number of descriptors than expected"))
}

/// Exits the process when dropped, without running any of the parent's cleanup.
struct ExitOnDrop;

impl Drop for ExitOnDrop {
    fn drop(&mut self) {
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(0) }
    }
}

/// Waits until data or the end of the stream can be received.
fn wait_readable(deadline: Instant, from: &OwnedFd) -> io::Result<()> {
    let mut polled = libc::pollfd { fd: from.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // SAFETY: one structure, which lives until the call returns.
        match unsafe { libc::poll(&raw mut polled, 1, left.as_millis() as i32) } {
            0 => return Err(io::Error::new(io::ErrorKind::TimedOut, "the forked child did not answer in time")),
            1.. => return Ok(()),
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return Err(io::Error::last_os_error()),
        }
    }
}

/// Reaps a child, which would otherwise stay as a zombie; returns whether it exited in time.
fn wait_for_exit(deadline: Instant, child: Pid) -> bool {
    while let Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::EINTR) = waitpid(child, Some(WaitPidFlag::WNOHANG)) {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(POLL_INTERVAL);
    }
    // The only expected error: the process ignores SIGCHLD, and the kernel reaps its children.
    true
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors, owned here once the call has succeeded.
    unsafe {
        check(libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0, ends.as_mut_ptr()))?;
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// A buffer aligned as control messages must be.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Sends an error code, zero for none, and descriptors.
fn send(to: RawFd, code: i32, opened: &[RawFd]) -> io::Result<()> {
    let mut code = code.to_ne_bytes();
    let mut part = libc::iovec { iov_base: code.as_mut_ptr().cast(), iov_len: code.len() };
    let mut control = Control([0; CONTROL]);
    let size = size_of_val(opened) as u32;
    // SAFETY: a zeroed `msghdr` is an empty message; the buffers set below live until the call returns, and the
    // descriptors fit into the control buffer (asserted above).
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        if size > 0 {
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(size) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size) as _;
            ptr::copy_nonoverlapping(opened.as_ptr().cast(), libc::CMSG_DATA(header), size as usize);
        }
        check(libc::sendmsg(to, &raw const message, libc::MSG_NOSIGNAL) as i32)
    }
}

/// Receives the child's answer.
///
/// *Errors*: the child ended before it had answered, or the parent has no free descriptors.
fn receive(from: RawFd) -> io::Result<(i32, Vec<OwnedFd>)> {
    let mut code = [0; size_of::<i32>()];
    let mut part = libc::iovec { iov_base: code.as_mut_ptr().cast(), iov_len: code.len() };
    let mut control = Control([0; CONTROL]);
    let mut opened = Vec::new();
    // SAFETY: as in `send`; every received descriptor is owned here.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = CONTROL as _;
        let received = loop {
            let received = libc::recvmsg(from, &raw mut message, libc::MSG_CMSG_CLOEXEC);
            if received >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                break received;
            }
        };
        check(received as i32)?;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if !header.is_null() && (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
            let bytes = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
            let first = libc::CMSG_DATA(header).cast::<RawFd>();
            for index in 0..bytes / size_of::<RawFd>() {
                opened.push(OwnedFd::from_raw_fd(first.add(index).read_unaligned()));
            }
        }
        if message.msg_flags & libc::MSG_CTRUNC != 0 {
            // The kernel drops descriptors if the process has none left.
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        match received as usize {
            4 => Ok((i32::from_ne_bytes(code), opened)),
            _ => Err(io::Error::other("the forked child ended before it had answered")),
        }
    }
}

/// Converts the return value of a system call into a result.
pub(super) fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    /// The children of this thread as the kernel lists them, including zombies.
    fn children() -> String {
        std::fs::read_to_string("/proc/thread-self/children").unwrap()
    }

    #[test]
    fn files_opened_in_the_child_are_readable() {
        let opened = run_in_child(|| {
            // SAFETY: a constant path.
            let file = unsafe { libc::open(c"/proc/self/net/dev".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
            check(file).map(|()| [file])
        });
        let [file] = opened.unwrap();
        let mut text = String::new();
        // The child has exited; its file is still open here.
        File::from(file).read_to_string(&mut text).unwrap();
        assert!(text.contains("lo:"), "{text}");
        assert_eq!(children(), "", "no zombie");
    }

    #[test]
    fn child_errors_are_returned() {
        let failed = run_in_child(|| -> io::Result<[RawFd; 1]> { Err(io::Error::from_raw_os_error(libc::EPERM)) });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(run_in_child(|| Ok([])).is_ok_and(|opened: [OwnedFd; 0]| opened.is_empty()));
    }

    #[test]
    fn a_child_that_dies_is_an_error() {
        // SAFETY: ends the child before it has answered.
        let failed = run_in_child(|| -> io::Result<[RawFd; 0]> { unsafe { libc::_exit(3) } });
        assert!(failed.unwrap_err().to_string().contains("ended before"));
        assert_eq!(children(), "");
    }

    #[test]
    fn a_child_that_panics_goes_no_further() {
        let before = std::process::id();
        let failed = run_in_child(|| -> io::Result<[RawFd; 0]> { panic!("on purpose") });
        // A child that went on would run this too, under another process id.
        assert_eq!(std::process::id(), before);
        assert!(failed.unwrap_err().to_string().contains("ended before"));
    }

    #[test]
    fn a_child_that_hangs_is_ended() {
        let began = Instant::now();
        let failed = run_in_child_within(Duration::from_millis(300), || -> io::Result<[RawFd; 0]> {
            loop {
                // SAFETY: only waits for a signal; all are blocked except those that cannot be, so SIGKILL ends it.
                unsafe { libc::pause() };
            }
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= Duration::from_millis(300) && began.elapsed() < Duration::from_secs(10));
        assert_eq!(children(), "", "it is neither there nor a zombie");
    }
}
