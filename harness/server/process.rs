//! Server processes that the harness starts (Postgres, middleboxes): it runs them as an ordinary user, sends signals,
//! and waits for them. Also catches and freezes the recovery process of a crashed Postgres.

use std::fs::File;
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
use super::process_tree::{is_stopped, signal_all, title, with_descendants};

/// Returns the user id and group id to run servers as; `None`: the current user, because Postgres and PgBouncer refuse
/// to run only as root.
///
/// *Errors*: [`ServerError::NoUnprivilegedUser`] if the current user is root and neither user for servers exists.
pub(crate) fn unprivileged() -> Result<Option<(u32, u32)>, ServerError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(|user| Some((user.uid.as_raw(), user.gid.as_raw())))
        .ok_or(ServerError::NoUnprivilegedUser)
}

/// Removes the variables of libpq and of Postgres, such as PGSSLMODE and PGDATA, from the environment of a server: they are
/// the user's and concern other servers, and a standby would connect to its primary by them.
pub(super) fn without_libpq_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
}

/// A server's main process and its exit status.
pub(crate) struct Daemon {
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Daemon {
    /// Launches a server process that appends its output to `log`. `program` is only for errors.
    ///
    /// *Errors*: the log cannot be opened, or the program cannot be run.
    pub fn launch(mut command: Command, program: &Path, log: &Path) -> Result<Daemon, ServerError> {
        let failed = |source| ServerError::Launch { program: program.to_owned(), source };
        let output = File::options().create(true).append(true).open(log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        // A process group of its own keeps Ctrl-C from the server; the harness then stops it in order.
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        without_libpq_variables(&mut command);
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        let (ended, exit) = watch::channel(None);
        tokio::spawn(async move {
            if let Ok(status) = child.wait().await {
                ended.send_replace(Some(status));
            }
        });
        Ok(Daemon { pid: Pid::from_raw(pid as i32), exit })
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Returns the exit status; `None` while the process runs.
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Sends a signal.
    ///
    /// *Errors*: the process has ended.
    pub fn signal(&self, signal: Signal) -> Result<(), ServerError> {
        if self.exited().is_some() {
            return Err(ServerError::Control { doing: "signal", reason: "it is not running".into() });
        }
        kill(self.pid, signal)
            .map_err(|errno| ServerError::Control { doing: "signal", reason: format!("{signal}: {errno}") })
    }

    /// Waits until the process has ended.
    ///
    /// *Errors*: it still runs after `within`.
    pub async fn wait(&self, within: Duration) -> Result<ExitStatus, ServerError> {
        let mut exit = self.exit.clone();
        match timeout(within, exit.wait_for(Option::is_some)).await {
            Ok(Ok(status)) => Ok(status.unwrap_or_default()),
            Ok(Err(_)) => {
                Err(ServerError::Control { doing: "wait for", reason: "the task that waits for it is gone".into() })
            }
            Err(_) => Err(ServerError::Control {
                doing: "stop",
                reason: format!("process {} is still running after {}", self.pid, crate::model::time::show(within)),
            }),
        }
    }

    /// Ends the process and its descendants without an async runtime, for `Drop` and panics: sends `farewell` to the
    /// process, and kills all of them if it has not ended after 2 s.
    pub fn end_now(&self, farewell: Signal) {
        if self.exited().is_some() {
            return;
        }
        let tree = with_descendants(self.pid());
        let _ = kill(self.pid, farewell);
        signal_all(&tree, Signal::SIGCONT);
        // An immediate shutdown takes 5 ms; 2 s are for an overloaded machine.
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
                // The process was reaped here, or earlier by the runtime.
                Ok(_) | Err(Errno::ECHILD) => return,
                Err(_) => break,
            }
        }
        signal_all(&tree, Signal::SIGKILL);
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

/// Kills a backend, and freezes the startup process of the recovery that follows; returns its pid. Polls every 300 µs,
/// because recovery is short.
///
/// *Errors*: no recovery began within `within`, or it ended before it was frozen.
pub(super) fn hold_recovery(postmaster: &Daemon, backend: i32, within: Duration) -> Result<i32, String> {
    let is_recovery = |pid: &i32| title(*pid).is_some_and(|title| title.starts_with("postgres: startup"));
    signal_all(&[backend], Signal::SIGKILL);
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if let Some(pid) = with_descendants(postmaster.pid()).into_iter().skip(1).find(is_recovery) {
            signal_all(&[pid], Signal::SIGSTOP);
            while title(pid).is_some() && Instant::now() < deadline {
                if is_stopped(pid) {
                    return Ok(pid);
                }
                std::thread::sleep(Duration::from_micros(300));
            }
            return Err("its recovery ended before it could be held".into());
        }
        if postmaster.exited().is_some() {
            return Err("the server ended instead of recovering".into());
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    Err(format!("no recovery started within {}", crate::model::time::show(within)))
}
