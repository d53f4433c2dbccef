//! A file system of a few megabytes for one server, mounted in its own mount namespace.
//!
//! The host's own mounts do not change. A process holds the namespace and reads from a pipe of the harness: when the
//! harness ends, however it ends, that process ends too, and the kernel removes the mount with the last process in the
//! namespace. Root needs only a mount namespace; other users also need a user namespace, which maps the current user to
//! itself. How a fault fills the disk is in `control/real/resources`.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::unistd::{getegid, geteuid};

use super::ServerError;
use crate::run_folder::MARK;

/// Size of a small disk, in bytes: room for 3000 pages of a ledger, or for two dozen WAL segments of 1 MB.
const SIZE: usize = 24 << 20;

/// A mounted disk and the process that holds its namespace; unmounted when dropped.
pub(super) struct SmallDisk {
    path: PathBuf,
    user: Option<(u32, u32)>,
    holder: Child,
}

impl SmallDisk {
    /// Mounts a disk at a folder of the run; the disk belongs to `user`; `None`: to the current user.
    ///
    /// *Errors*: this user may not create the namespaces or mount.
    pub fn mount(path: PathBuf, run: &Path, user: Option<(u32, u32)>) -> Result<SmallDisk, ServerError> {
        let failed = |source| ServerError::Folder { doing: "mount a small disk at", path: path.clone(), source };
        let mut command = Command::new("cat");
        command.env(MARK, run).current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        with_disk(&mut command, &path, user).map_err(failed)?;
        let holder = command.spawn().map_err(failed)?;
        Ok(SmallDisk { path, user, holder })
    }

    /// Returns the disk's path inside the namespace.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file on the disk as this process sees it.
    pub fn seen_from_here(&self, file: &str) -> PathBuf {
        let inside = self.path.strip_prefix("/").unwrap_or(&self.path);
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside).join(file)
    }

    /// Makes a command run in the namespace, as the disk's user, with `folder` as working directory.
    ///
    /// *Errors*: the process that holds the namespace has ended.
    pub fn join(&self, command: &mut tokio::process::Command, folder: &Path) -> Result<(), ServerError> {
        let failed = |source| ServerError::Folder { doing: "join", path: self.path.clone(), source };
        let open = |name| File::open(format!("/proc/{}/ns/{name}", self.holder.id())).map_err(failed);
        let mounts = open("mnt")?;
        let users = if geteuid().is_root() { None } else { Some(open("user")?) };
        let folder = c_string(folder).map_err(failed)?;
        let user = self.user;
        let enter = move || {
            // SAFETY: system calls on descriptors and a string that this closure owns.
            unsafe {
                if let Some(users) = &users {
                    done(libc::setns(users.as_raw_fd(), libc::CLONE_NEWUSER))?;
                }
                done(libc::setns(mounts.as_raw_fd(), libc::CLONE_NEWNS))?;
                if let Some((uid, gid)) = user {
                    done(libc::setgroups(0, std::ptr::null()))?;
                    done(libc::setgid(gid))?;
                    done(libc::setuid(uid))?;
                }
                // setns(mnt) changes the working directory to `/`.
                done(libc::chdir(folder.as_ptr()))
            }
        };
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Checks by a trial that this user can mount a small disk.
///
/// *Errors*: why not, for reports.
pub(crate) fn can_have_small_disk() -> Result<(), String> {
    let mut command = Command::new("true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The mount is only in the namespace of `true`, which ends at once.
    let tried = with_disk(&mut command, &std::env::temp_dir(), None).and_then(|()| command.status());
    match tried {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cannot mount a small disk: the attempt ended with {status}")),
        Err(error) => Err(format!("cannot mount a small disk: this user may not create a mount namespace: {error}")),
    }
}

/// Makes a command start in new namespaces, with a disk mounted at `path`. The error of a failed mount is that of the
/// spawn.
fn with_disk(command: &mut Command, path: &Path, user: Option<(u32, u32)>) -> io::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let (owner, group) = user.unwrap_or((uid, gid));
    let path = c_string(path)?;
    let options = CString::new(format!("size={SIZE},mode=0700,uid={owner},gid={group}"))?;
    let maps = [
        (c"/proc/self/setgroups", "deny".to_owned()),
        (c"/proc/self/uid_map", format!("{uid} {uid} 1")),
        (c"/proc/self/gid_map", format!("{gid} {gid} 1")),
    ];
    let is_root = uid == 0;
    let enter = move || {
        // SAFETY: system calls on strings that this closure owns.
        unsafe {
            done(libc::unshare(libc::CLONE_NEWNS | if is_root { 0 } else { libc::CLONE_NEWUSER }))?;
            for (file, text) in maps.iter().filter(|_| !is_root) {
                let file = libc::open(file.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
                done(file)?;
                done(libc::write(file, text.as_ptr().cast(), text.len()) as i32)?;
                libc::close(file);
            }
            let (none, all) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
            done(libc::mount(none, c"/".as_ptr(), none, all, none.cast()))?;
            let kind = c"tmpfs".as_ptr();
            let flags = libc::MS_NOSUID | libc::MS_NODEV;
            done(libc::mount(kind, path.as_ptr(), kind, flags, options.as_ptr().cast()))
        }
    };
    // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
    unsafe { command.pre_exec(enter) };
    Ok(())
}

fn done(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn c_string(path: &Path) -> io::Result<CString> {
    use std::os::unix::ffi::OsStrExt;

    Ok(CString::new(path.as_os_str().as_bytes())?)
}
