//! Processes of our own that serve, Postgres and what stands before it: started as an ordinary user, controlled by
//! signals, waited for by their exit.

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
use super::process_tree::{family, is_stopped, signal_all, title};

/// Whom to run servers as: `None` is the user we are, since Postgres and PgBouncer refuse only root.
///
/// *Errors*: [`ServerError::NoUnprivilegedUser`] where we are root and there is nobody else.
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

/// A running process, a server's first or its only one, and when it ended.
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
        Ok(Daemon { pid: Pid::from_raw(pid as i32), exit })
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
                reason: format!("process {} still runs after {}", self.pid, crate::model::time::show(within)),
            }),
        }
    }

    /// Ends it and every process of it, without a runtime: for drops and panics. `farewell`: what makes it end at once.
    pub fn end_now(&self, farewell: Signal) {
        if self.exited().is_some() {
            return;
        }
        let family = family(self.pid());
        let _ = kill(self.pid, farewell);
        signal_all(&family, Signal::SIGCONT);
        // Immediate shutdown takes 5 ms; two seconds are for a machine in trouble.
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

/// Kills a backend, and freezes the recovery that follows; returns the recovering process, or why there is none.
pub(super) fn hold_recovery(postmaster: &Daemon, backend: i32, within: Duration) -> Result<i32, String> {
    let is_recovery = |pid: &i32| title(*pid).is_some_and(|title| title.starts_with("postgres: startup"));
    signal_all(&[backend], Signal::SIGKILL);
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if let Some(pid) = family(postmaster.pid()).into_iter().skip(1).find(is_recovery) {
            signal_all(&[pid], Signal::SIGSTOP);
            while title(pid).is_some() && Instant::now() < deadline {
                if is_stopped(pid) {
                    return Ok(pid);
                }
                std::thread::sleep(Duration::from_micros(300));
            }
            return Err("its recovery was over before it could be held".into());
        }
        if postmaster.exited().is_some() {
            return Err("it ended instead of recovering".into());
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    Err(format!("its recovery was not seen within {}", crate::model::time::show(within)))
}
