//! Server processes of our own: started as an ordinary user, controlled by signals, waited for by their exit.

use std::fs::{self, File};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, User, geteuid};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::timeout;

use super::ServerError;

/// Whom to run Postgres as: `None` is the user we are, since Postgres refuses only root.
///
/// *Errors*: [`ServerError::NoUnprivilegedUser`] where we are root and there is nobody else.
pub(super) fn unprivileged() -> Result<Option<(u32, u32)>, ServerError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(|user| Some((user.uid.as_raw(), user.gid.as_raw())))
        .ok_or(ServerError::NoUnprivilegedUser)
}

/// A running `postgres`, and when it ended.
pub(super) struct Postmaster {
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Postmaster {
    /// Launches a server process whose output goes to the end of `log`.
    pub fn launch(mut command: Command, program: &Path, log: &Path) -> Result<Postmaster, ServerError> {
        let failed = |source| ServerError::Launch { program: program.to_owned(), source };
        let output = File::options().create(true).append(true).open(log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        // A group of its own, so that Ctrl-C reaches the harness alone, which then stops the server in good order.
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        let (ended, exit) = watch::channel(None);
        tokio::spawn(async move {
            if let Ok(status) = child.wait().await {
                ended.send_replace(Some(status));
            }
        });
        Ok(Postmaster { pid: Pid::from_raw(pid as i32), exit })
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Its exit status, once it has one.
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    pub fn signal(&self, signal: Signal) -> Result<(), ServerError> {
        if self.exited().is_some() {
            return Err(ServerError::Control { doing: "signal", reason: "it is not running".into() });
        }
        kill(self.pid, signal)
            .map_err(|errno| ServerError::Control { doing: "signal", reason: format!("{signal}: {errno}") })
    }

    /// Waits for its exit.
    pub async fn wait(&self, within: Duration) -> Result<ExitStatus, ServerError> {
        let mut exit = self.exit.clone();
        match timeout(within, exit.wait_for(Option::is_some)).await {
            Ok(Ok(status)) => Ok(status.unwrap_or_default()),
            Ok(Err(_)) => Err(ServerError::Control { doing: "wait for", reason: "its watcher is gone".into() }),
            Err(_) => Err(ServerError::Control {
                doing: "stop",
                reason: format!("process {} still runs after {}", self.pid, crate::time::show(within)),
            }),
        }
    }

    /// Ends it and every process of it, without a runtime: for drops and panics.
    pub fn end_now(&self) {
        if self.exited().is_some() {
            return;
        }
        let family = family(self.pid());
        let _ = kill(self.pid, Signal::SIGQUIT);
        signal_all(&family, Signal::SIGCONT);
        // Immediate shutdown takes 5 ms (FACTS §8); two seconds are for a machine in trouble.
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
                // Reaped by us, or by the runtime before us.
                Ok(_) | Err(Errno::ECHILD) => return,
                Err(_) => break,
            }
        }
        signal_all(&family, Signal::SIGKILL);
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

/// A process and all that descend from it, the eldest first.
pub(super) fn family(eldest: i32) -> Vec<i32> {
    let parents = parents();
    let mut members = vec![eldest];
    let mut next = 0;
    while next < members.len() {
        let parent = members[next];
        members.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    members
}

/// Sends a signal to each; one that has gone meanwhile is none of our business.
pub(super) fn signal_all(pids: &[i32], signal: Signal) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

/// Every process with its parent.
#[cfg(target_os = "linux")]
fn parents() -> Vec<(i32, i32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // "pid (name) state parent …"; a name may hold spaces and parentheses, so look from its end.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect()
}

/// Every process with its parent.
#[cfg(not(target_os = "linux"))]
fn parents() -> Vec<(i32, i32)> {
    let Ok(output) = std::process::Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        })
        .collect()
}

/// What a process calls itself; Postgres writes there what each of its processes does.
pub(super) fn title(pid: i32) -> Option<String> {
    #[cfg(target_os = "linux")]
    let text = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    #[cfg(not(target_os = "linux"))]
    let text = std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output().ok()?.stdout;
    Some(String::from_utf8_lossy(&text).trim_matches(['\0', ' ', '\n']).to_owned())
}

/// Makes sure that a data folder's server is gone, whoever started it, and that its shared memory is too.
///
/// Returns whether there was a process to end. Only for folders of our own: the process must have the folder as its
/// working directory, so that a pid used again by somebody else is left alone.
pub(super) fn end_orphan(data: &Path) -> bool {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else { return false };
    let mut lines = text.lines();
    let pid = lines.next().and_then(|pid| pid.trim().parse::<i32>().ok());
    let mut ended = false;
    if let Some(pid) = pid.filter(|pid| works_in(*pid, data)) {
        let members = family(pid);
        let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
        signal_all(&members, Signal::SIGCONT);
        let deadline = Instant::now() + Duration::from_secs(5);
        while works_in(pid, data) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        for member in members.into_iter().filter(|member| works_in(*member, data)) {
            signal_all(&[member], Signal::SIGKILL);
        }
        ended = true;
    }
    remove_shared_memory(&text);
    ended
}

/// Whether a process is alive with this folder as its working directory, as every Postgres process is.
#[cfg(target_os = "linux")]
fn works_in(pid: i32, data: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data)
}

/// Whether a process is alive with this folder as its working directory: unknown here, so never.
#[cfg(not(target_os = "linux"))]
fn works_in(_pid: i32, _data: &Path) -> bool {
    false
}

/// Removes the small System V segment by which a server guards its data folder. A server that ends in any orderly way
/// removes it itself; one that was killed leaves it to its next start, which may never come.
fn remove_shared_memory(pid_file: &str) {
    // Line 7 of postmaster.pid: "key id".
    let id = pid_file.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)).and_then(|id| id.parse().ok());
    if let Some(id) = id {
        // SAFETY: IPC_RMID takes no buffer, so the pointer may be null. An id that is gone, or is not ours, is refused
        // by the kernel; one with processes attached lives on until they leave.
        unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}
