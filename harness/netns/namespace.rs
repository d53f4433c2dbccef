//! The namespaces of one run, and how to enter them.
//!
//! Each is held by a descriptor of the harness and by nothing else: when the harness ends, in whatever way, the kernel
//! takes it away with all that is in it, interfaces, routes, rules and connections. Whoever is not root gets a user
//! namespace around them, in which he may do all this.

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
    /// The user namespace that it belongs to, where that is not our own.
    users: Option<Arc<OwnedFd>>,
    net: OwnedFd,
    /// A view of the file system that goes with it.
    mounts: Option<OwnedFd>,
}

/// How a process enters a namespace: numbers only, so that it can be done between fork and exec.
#[derive(Clone, Copy)]
pub(super) struct NsFds {
    users: Option<RawFd>,
    net: RawFd,
    mounts: Option<RawFd>,
}

/// The three namespaces of a run: where the client is, what is between, where the gateway listens.
pub(super) fn create() -> io::Result<[NetNs; 3]> {
    let ours = IdMaps::map_to_root()?;
    // Whoever may not make a network namespace by himself may do so in a user namespace of his own.
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

/// In a child: makes the namespaces, and opens them.
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

/// In a child: brings the loopback interface up, which only who may arrange the network can. Whoever may make a network
/// namespace but not arrange it, as root with a part of his rights, has to go on in a user namespace as well.
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
    /// A file as it is seen from there: the kernel shows each namespace its own below `/proc/self/net` and `/proc/sys`.
    pub fn open(&self, path: &CStr) -> io::Result<File> {
        let ns_fds = self.ns_fds();
        let [file] = run_in_child(|| {
            ns_fds.enter()?;
            Ok([open(path, libc::O_RDONLY)?])
        })?;
        Ok(file.into())
    }

    /// Changes a setting of it: `net/ipv4/ip_forward`.
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

    /// Has processes that live there see files in place of others: pairs of what is seen, and in place of what. Nobody
    /// else sees any of it.
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
                // What is unmounted outside is unmounted here too, and so not kept busy; nothing goes the other way.
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

    /// Has a command of ours run there, with all the rights that there are; it finds these descriptors at the paths that
    /// [`fd_path`] gives.
    pub(super) fn enter_as_root<const N: usize>(&self, command: &mut Command, inherited: [RawFd; N]) {
        let ns_fds = self.ns_fds();
        let enter = move || {
            ns_fds.enter()?;
            for descriptor in inherited {
                // They keep their numbers: any other might be one that is needed between here and the new program.
                // SAFETY: a system call on numbers. Without its flag it stays open in the new program.
                check(unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) })?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe { command.pre_exec(enter) };
    }

    /// Has a client's process live there, under the number of its user that it has outside, and begin in `folder`, or where
    /// this process is.
    ///
    /// *Errors*: the maps of the user's numbers, or the folder that it begins in, cannot be written down.
    pub fn enter_as_user(&self, command: &mut tokio::process::Command, folder: Option<&Path>) -> io::Result<()> {
        let ns_fds = self.ns_fds();
        let own = IdMaps::map_back()?;
        let is_own = self.users.is_some();
        // Who goes to other mounts goes to their root.
        let begins = || folder.map_or_else(env::current_dir, |folder| Ok(folder.to_owned()));
        let folder = self.mounts.as_ref().map(|_| c_path(&begins()?)).transpose()?;
        let enter = move || {
            ns_fds.enter()?;
            if let Some(folder) = &folder {
                // SAFETY: a system call on a string that is there.
                check(unsafe { libc::chdir(folder.as_ptr()) })?;
            }
            // Inside the run's user namespace it would be root, and some programs refuse to be.
            if is_own { own.enter() } else { Ok(()) }
        };
        // SAFETY: as above.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }

    /// Whether it was made without a user namespace, so that it can be joined to the machine's own network.
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
    /// In a child: goes there.
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

/// The path at which a tool finds a descriptor that it has been handed.
pub(super) fn fd_path(descriptor: RawFd) -> String {
    format!("/proc/self/fd/{descriptor}")
}

/// What is written to make a new user namespace in which somebody of ours has a given number.
struct IdMaps {
    users: CString,
    groups: CString,
}

impl IdMaps {
    /// For whoever we are outside: inside, he is root.
    fn map_to_root() -> io::Result<IdMaps> {
        IdMaps::new([0, geteuid().as_raw()], [0, getegid().as_raw()])
    }

    /// For whoever is root in the run's user namespace: in one inside it, he has his own numbers again.
    fn map_back() -> io::Result<IdMaps> {
        IdMaps::new([geteuid().as_raw(), 0], [getegid().as_raw(), 0])
    }

    /// Numbers as they are inside, and outside.
    fn new(user: [u32; 2], group: [u32; 2]) -> io::Result<IdMaps> {
        let map = |[inside, outside]: [u32; 2]| CString::new(format!("{inside} {outside} 1"));
        Ok(IdMaps { users: map(user)?, groups: map(group)? })
    }

    /// In a child: makes the namespace and goes there.
    fn enter(&self) -> io::Result<()> {
        // SAFETY: a system call on a number.
        check(unsafe { libc::unshare(libc::CLONE_NEWUSER) })?;
        for (path, text) in [
            // Without this only the privileged may write down groups; whoever is in a group must not leave it so.
            (c"/proc/self/setgroups", c"deny"),
            (c"/proc/self/uid_map", self.users.as_c_str()),
            (c"/proc/self/gid_map", self.groups.as_c_str()),
        ] {
            let file = open(path, libc::O_WRONLY)?;
            // SAFETY: system calls on a descriptor of ours and bytes that are there.
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
