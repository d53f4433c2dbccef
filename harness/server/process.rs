//! Server processes that the harness starts (Postgres, middleboxes): run as an ordinary user, controlled by signals,
//! and waited for.

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

/// The user to run servers as; `None`: the current one, since Postgres and PgBouncer refuse only root.
///
/// *Errors*: [`ServerError::NoUnprivilegedUser`] if the current user is root and there is no other.
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

/// A server's main process, and its end.
pub(crate) struct Daemon {
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Daemon {
    /// Launches a server process whose output goes to the end of `log`.
    pub fn launch(mut command: Command, program: &Path, log: &Path) -> Result<Daemon, ServerError> {
        let failed = |source| ServerError::ClientFactory { program: program.to_owned(), source };
        let output = File::options().create(true).append(true).open(log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        // In its own process group, so that Ctrl-C reaches only the harness, which then stops the server in order.
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
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

    /// Its exit status, once it has ended.
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
            Ok(Err(_)) => {
                Err(ServerError::Control { doing: "wait for", reason: "the task that waits for it is gone".into() })
            }
            Err(_) => Err(ServerError::Control {
                doing: "stop",
                reason: format!("process {} is still running after {}", self.pid, crate::model::time::show(within)),
            }),
        }
    }

    /// Ends the process and its descendants without a runtime, for drops and panics; `farewell` is the signal for it.
    pub fn end_now(&self, farewell: Signal) {
        if self.exited().is_some() {
            return;
        }
        let tree = with_descendants(self.pid());
        let _ = kill(self.pid, farewell);
        signal_all(&tree, Signal::SIGCONT);
        // Immediate shutdown takes 5 ms; two seconds are for an overloaded machine.
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
                // Reaped here, or by the runtime before.
                Ok(_) | Err(Errno::ECHILD) => return,
                Err(_) => break,
            }
        }
        signal_all(&tree, Signal::SIGKILL);
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

/// Kills a backend, and freezes the recovery that follows; returns the startup process, or why there is none.
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
