//! The network namespaces of one run, and how processes enter them.
//!
//! Only descriptors of the harness, and the client's processes while they run, hold a namespace. When the harness has
//! ended, even by a crash, and the client with it, the kernel removes the namespace with its interfaces, routes,
//! rules and connections. Without root, a user namespace around them grants the rights to do all this.

use std::env;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use nix::unistd::{getegid, geteuid};
use socket2::{Domain, Protocol, Socket, Type};

use super::forked::{check, run_in_child};
use crate::gateway::port::SocketSource;

/// A network namespace.
#[derive(Debug)]
pub(crate) struct NetNs {
    /// The user namespace that owns it; `None`: that of this process.
    users: Option<Arc<OwnedFd>>,
    net: OwnedFd,
    /// The mount namespace of the processes in it; `None`: that of this process.
    mounts: Option<OwnedFd>,
}

/// Descriptors for entering the namespaces: plain numbers, usable between fork and exec.
#[derive(Clone, Copy)]
pub(super) struct NsFds {
    users: Option<RawFd>,
    net: RawFd,
    mounts: Option<RawFd>,
}

/// Creates the three namespaces of a run: client, filter, gateway.
///
/// *Errors*: the kernel refuses, even with a user namespace around them.
pub(super) fn create() -> io::Result<[NetNs; 3]> {
    let ours = IdMaps::map_to_root()?;
    // Without CAP_SYS_ADMIN a network namespace needs a user namespace around it.
    let (is_own, [users, client, router, gateway]) = match run_in_child(|| create_namespaces(None)) {
        Ok(made) => (false, made),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            (true, run_in_child(|| create_namespaces(Some(&ours)))?)
        }
        Err(error) => return Err(error),
    };
    let users = is_own.then(|| Arc::new(users));
    Ok([client, router, gateway].map(|net| NetNs { users: users.clone(), net, mounts: None }))
}

/// In a child: creates the user namespace, if `maps` are given, and the network namespaces; opens all of them.
fn create_namespaces(maps: Option<&IdMaps>) -> io::Result<[RawFd; 4]> {
    if let Some(maps) = maps {
        maps.enter()?;
    }
    let users = open(c"/proc/self/ns/user", libc::O_RDONLY)?;
    let mut nets = [0; 3];
    for net in &mut nets {
        // SAFETY: a system call on a number.
        check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
        loopback_up()?;
        *net = open(c"/proc/self/ns/net", libc::O_RDONLY)?;
    }
    Ok([users, nets[0], nets[1], nets[2]])
}

/// In a child: brings the loopback interface up. This fails without CAP_NET_ADMIN, so that `create` also adds a user
/// namespace for a process with CAP_SYS_ADMIN alone.
fn loopback_up() -> io::Result<()> {
    // SAFETY: system calls on numbers, and on a structure that lives until they return; all zeroes is an empty one.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        check(socket)?;
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let up = check(libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw const request));
        libc::close(socket);
        up
    }
}

impl SocketSource for NetNs {
    fn socket(&self, domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
        let ns_fds = self.ns_fds();
        let (domain, kind, protocol) = (domain.into(), i32::from(kind), protocol.map_or(0, Into::into));
        let [socket] = run_in_child(|| {
            ns_fds.enter()?;
            // SAFETY: a system call on numbers.
            let socket = unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) };
            check(socket).map(|()| [socket])
        })?;
        Ok(socket.into())
    }
}

impl NetNs {
    /// Opens a file for reading as seen from the namespace: the kernel shows each its own `/proc/self/net` and
    /// `/proc/sys/net`.
    ///
    /// *Errors*: the child cannot enter the namespace, or not open the file.
    pub fn open(&self, path: &CStr) -> io::Result<File> {
        let ns_fds = self.ns_fds();
        let [file] = run_in_child(|| {
            ns_fds.enter()?;
            Ok([open(path, libc::O_RDONLY)?])
        })?;
        Ok(file.into())
    }

    /// Changes a kernel setting of the namespace, such as `net/ipv4/ip_forward`.
    ///
    /// *Errors*: there is no such setting, or the kernel rejects the value.
    pub fn set(&self, name: &str, value: &str) -> io::Result<()> {
        let ns_fds = self.ns_fds();
        let path = CString::new(format!("/proc/sys/{name}"))?;
        let [] = run_in_child(|| {
            ns_fds.enter()?;
            let file = open(&path, libc::O_WRONLY)?;
            // SAFETY: a system call on bytes that are there.
            check(unsafe { libc::write(file, value.as_ptr().cast(), value.len()) } as i32).map(|()| [])
        })?;
        Ok(())
    }

    /// Bind-mounts files over others, for processes that enter the namespace afterwards; `files`: pairs of source and
    /// target.
    ///
    /// *Errors*: a path contains NUL or does not exist, or the kernel refuses the mount namespace.
    #[cfg(feature = "dns")]
    pub fn bind_mount_over(&mut self, files: &[(std::path::PathBuf, std::path::PathBuf)]) -> io::Result<()> {
        use std::ptr;

        let ns_fds = self.ns_fds();
        let paths = files.iter().map(|(source, target)| Ok((c_path(source)?, c_path(target)?)));
        let paths = paths.collect::<io::Result<Vec<_>>>()?;
        let [mounts] = run_in_child(|| {
            ns_fds.enter()?;
            // SAFETY: system calls on numbers, and on strings that are there.
            unsafe {
                check(libc::unshare(libc::CLONE_NEWNS))?;
                // An unmount outside propagates into the namespace, so that the mount does not stay busy; nothing
                // propagates out.
                let is_slave = libc::MS_REC | libc::MS_SLAVE;
                check(libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), is_slave, ptr::null()))?;
                for (source, target) in &paths {
                    check(libc::mount(source.as_ptr(), target.as_ptr(), ptr::null(), libc::MS_BIND, ptr::null()))?;
                }
            }
            Ok([open(c"/proc/self/ns/mnt", libc::O_RDONLY)?])
        })?;
        self.mounts = Some(mounts);
        Ok(())
    }

    /// Lets a tool of the harness enter the namespace on exec, with root's rights there; it finds the inherited
    /// descriptors at the paths that [`fd_path`] returns.
    pub(super) fn enter_as_root<const N: usize>(&self, command: &mut Command, inherited: [RawFd; N]) {
        let ns_fds = self.ns_fds();
        let enter = move || {
            ns_fds.enter()?;
            for descriptor in inherited {
                // The descriptor keeps its number: any other might be taken between here and exec.
                check(unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) })?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe { command.pre_exec(enter) };
    }

    /// Lets a client's process enter the namespace on exec, under the user id that it has outside. Entering a mount
    /// namespace would change its folder to `/`; then it starts in `folder`, or in this process's folder if that is
    /// `None`. Without a mount namespace `folder` is ignored.
    ///
    /// *Errors*: a path contains NUL, or the current folder is unknown.
    pub fn enter_as_user(&self, command: &mut tokio::process::Command, folder: Option<&Path>) -> io::Result<()> {
        let ns_fds = self.ns_fds();
        let own = IdMaps::map_back()?;
        let is_own = self.users.is_some();
        // setns(mnt) changes the working directory to `/`.
        let begins = || folder.map_or_else(env::current_dir, |folder| Ok(folder.to_owned()));
        let folder = self.mounts.as_ref().map(|_| c_path(&begins()?)).transpose()?;
        let enter = move || {
            ns_fds.enter()?;
            if let Some(folder) = &folder {
                // SAFETY: a system call on a string that is there.
                check(unsafe { libc::chdir(folder.as_ptr()) })?;
            }
            // In the run's user namespace the process would be root, which some programs refuse.
            if is_own { own.enter() } else { Ok(()) }
        };
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }

    /// Whether it has no user namespace of its own, so that it can be connected to the host's network.
    pub fn is_of_root(&self) -> bool {
        self.users.is_none()
    }

    pub(super) fn net(&self) -> RawFd {
        self.net.as_raw_fd()
    }

    pub(super) fn ns_fds(&self) -> NsFds {
        NsFds {
            users: self.users.as_ref().map(|users| users.as_raw_fd()),
            net: self.net.as_raw_fd(),
            mounts: self.mounts.as_ref().map(AsRawFd::as_raw_fd),
        }
    }
}

impl NsFds {
    /// In a child: enters the namespaces.
    pub fn enter(self) -> io::Result<()> {
        // SAFETY: system calls on numbers.
        unsafe {
            if let Some(users) = self.users {
                check(libc::setns(users, libc::CLONE_NEWUSER))?;
            }
            check(libc::setns(self.net, libc::CLONE_NEWNET))?;
            match self.mounts {
                Some(mounts) => check(libc::setns(mounts, libc::CLONE_NEWNS)),
                None => Ok(()),
            }
        }
    }
}

/// Returns the path at which a tool finds an inherited descriptor.
pub(super) fn fd_path(descriptor: RawFd) -> String {
    format!("/proc/self/fd/{descriptor}")
}

/// User and group id maps of a new user namespace.
struct IdMaps {
    users: CString,
    groups: CString,
}

impl IdMaps {
    /// Maps this process's user to root inside.
    fn map_to_root() -> io::Result<IdMaps> {
        IdMaps::new([0, geteuid().as_raw()], [0, getegid().as_raw()])
    }

    /// Maps root of the run's user namespace to this process's ids, for a user namespace nested in it.
    fn map_back() -> io::Result<IdMaps> {
        IdMaps::new([geteuid().as_raw(), 0], [getegid().as_raw(), 0])
    }

    /// Pairs of the id inside and the id outside.
    fn new(user: [u32; 2], group: [u32; 2]) -> io::Result<IdMaps> {
        let map = |[inside, outside]: [u32; 2]| CString::new(format!("{inside} {outside} 1"));
        Ok(IdMaps { users: map(user)?, groups: map(group)? })
    }

    /// In a child: creates the user namespace and enters it.
    fn enter(&self) -> io::Result<()> {
        // SAFETY: a system call on a number.
        check(unsafe { libc::unshare(libc::CLONE_NEWUSER) })?;
        for (path, text) in [
            // The kernel requires this before an unprivileged group map, because dropping groups could widen access.
            (c"/proc/self/setgroups", c"deny"),
            (c"/proc/self/uid_map", self.users.as_c_str()),
            (c"/proc/self/gid_map", self.groups.as_c_str()),
        ] {
            let file = open(path, libc::O_WRONLY)?;
            // SAFETY: system calls on an open descriptor and bytes that are there.
            unsafe {
                check(libc::write(file, text.as_ptr().cast(), text.count_bytes()) as i32)?;
                libc::close(file);
            }
        }
        Ok(())
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn open(path: &CStr, how: i32) -> io::Result<RawFd> {
    // SAFETY: a system call on a string that is there.
    let file = unsafe { libc::open(path.as_ptr(), how | libc::O_CLOEXEC) };
    check(file).map(|()| file)
}
