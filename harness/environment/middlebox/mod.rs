//! Runs a middlebox (PgBouncer, HAProxy) between gateway and server: finds the installed program, configures the
//! server's address, and reads the program's log. One file per program.
//!
//! In front of a middlebox, the gateway accepts connections even while the server is down, because the middlebox does.
//! PgBouncer keeps sessions of its own at the server, so the client's sessions are counted at the gateway, and the
//! middlebox is ended before the audit reads the ledger. Idle timeouts are in force from the start: the log shows when
//! one expires; no fault injects it.

mod haproxy;
mod pgbouncer;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use parking_lot::{Mutex, MutexGuard};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::credentials::address::Address;
use crate::gateway::port::Reservation;
use crate::model::middlebox::{Middlebox, Program};
use crate::run_folder::RunFolder;
use crate::server::{Daemon, ServerError, Superuser, end_orphan, unprivileged};

/// Folders where packages install servers, which are not on every user's PATH.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

/// Name of the program's subfolder in the run folder.
const FOLDER: &str = "middlebox";

/// Longest wait for start and end: each takes a few milliseconds unless the machine is overloaded.
const PATIENCE: Duration = Duration::from_secs(20);

/// Interval of readiness checks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Longest wait for one readiness check.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);

/// Why a middlebox cannot be started or controlled.
#[derive(Debug, thiserror::Error)]
pub enum MiddleboxError {
    #[error("{0} is not installed: apt-get install {word}", word = .0.word())]
    NotInstalled(Program),
    #[error("cannot {doing} {}: {source}", path.display())]
    Folder { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot find a port for {program}: {source}")]
    Port { program: Program, source: io::Error },
    #[error(transparent)]
    Launch(ServerError),
    #[error("cannot {doing} {program}: {reason}")]
    Control { doing: &'static str, program: Program, reason: String },
}

/// Finds an installed program on PATH or in the usual folders.
///
/// *Errors*: [`MiddleboxError::NotInstalled`], which names the package.
pub(crate) fn find(program: Program) -> Result<PathBuf, MiddleboxError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    places
        .find_map(|folder| Some(folder.join(program.word())).filter(|binary| binary.is_file()))
        .ok_or(MiddleboxError::NotInstalled(program))
}

/// A middlebox; ended when dropped. Its files are removed with the run folder.
///
/// *Errors* of its methods: the program fails or does not react in time; with the end of its log.
pub(crate) struct MiddleboxProcess {
    program: Program,
    binary: PathBuf,
    settings: Vec<(String, String)>,
    folder: PathBuf,
    log: PathBuf,
    user: Option<(u32, u32)>,
    port: Reservation,
    /// The client's credentials, to check readiness: PgBouncer accepts no others.
    account: Superuser,
    state: Mutex<State>,
}

struct State {
    server: SocketAddr,
    daemon: Option<Arc<Daemon>>,
}

impl MiddleboxProcess {
    /// Prepares the program for the client's credentials in `address`, without starting it.
    ///
    /// *Errors*: the program is not installed, no port is free, or files cannot be written.
    pub fn create(
        middlebox: &Middlebox,
        run: &RunFolder,
        server: SocketAddr,
        address: &Address,
    ) -> Result<MiddleboxProcess, MiddleboxError> {
        let program = middlebox.through;
        let user = unprivileged().map_err(MiddleboxError::Launch)?;
        let folder = run.inner(FOLDER, user).map_err(failed("make", &run.path().join(FOLDER)))?;
        let port = Reservation::new().map_err(|source| MiddleboxError::Port { program, source })?;
        if program == Program::PgBouncer {
            write(&folder.join(pgbouncer::USERS), &pgbouncer::users(address))?;
        }
        let account = Superuser::new(address.at(port.address()));
        Ok(MiddleboxProcess {
            program,
            binary: find(program)?,
            settings: middlebox.settings.clone(),
            folder,
            log: run.path().join("middlebox.log"),
            user,
            port,
            account,
            state: Mutex::new(State { server, daemon: None }),
        })
    }

    pub fn program(&self) -> Program {
        self.program
    }

    /// Returns the program's listening address, which stays the same for the whole run.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Starts the program; returns once a client can run queries through it.
    pub async fn start(&self) -> Result<(), MiddleboxError> {
        self.configure()?;
        let mut command = Command::new(&self.binary);
        match self.program {
            Program::PgBouncer => command.arg(self.config()),
            // `-db`: in the foreground.
            Program::HaProxy => command.args(["-db", "-f"]).arg(self.config()),
        };
        // The working directory identifies the program as a leftover if this process is killed.
        command.current_dir(&self.folder).env("TZ", "UTC");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        let daemon = Daemon::launch(command, &self.binary, &self.log).map_err(MiddleboxError::Launch)?;
        self.state().daemon = Some(Arc::new(daemon));
        self.wait().await
    }

    /// Waits until a client can run queries through the program.
    ///
    /// *Errors*: the last refusal, or that the program has ended, with the end of its log.
    pub async fn wait(&self) -> Result<(), MiddleboxError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.running().is_none() {
                return Err(self.failed("start", format!("the process has ended{}", self.log_tail())));
            }
            let refusal = match self.account.connect_within(LOOK_PATIENCE).await {
                Ok(session) => match session.batch("SELECT 1").await {
                    Ok(()) => return Ok(()),
                    Err(error) => error.to_string(),
                },
                Err(refusal) => refusal.text,
            };
            if Instant::now() >= deadline {
                let within = crate::model::time::show(PATIENCE);
                return Err(self.failed("reach the server through", format!("not within {within}: {refusal}")));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Ends the program (SIGTERM), which closes every connection; returns its exit status; `None` if it did not run.
    pub async fn stop(&self) -> Result<Option<ExitStatus>, MiddleboxError> {
        let Some(daemon) = self.running() else { return Ok(None) };
        let ended = async {
            daemon.signal(Signal::SIGTERM)?;
            daemon.wait(PATIENCE).await
        };
        let status = ended.await.map_err(|error| self.failed("stop", error.to_string()))?;
        self.state().daemon = None;
        Ok(Some(status))
    }

    /// Sets the server's address; does nothing if it has not changed. PgBouncer reloads its configuration, and this
    /// returns before that is in force; HAProxy is restarted, which closes its connections.
    pub async fn route_to(&self, server: SocketAddr) -> Result<(), MiddleboxError> {
        if std::mem::replace(&mut self.state().server, server) == server {
            return Ok(());
        }
        match (self.program, self.running()) {
            (_, None) => Ok(()),
            (Program::PgBouncer, Some(daemon)) => {
                self.configure()?;
                daemon.signal(Signal::SIGHUP).map_err(|error| self.failed("reconfigure", error.to_string()))
            }
            // HAProxy is restarted: its connections ended with the old server anyway.
            (Program::HaProxy, Some(_)) => {
                self.stop().await?;
                self.start().await
            }
        }
    }

    /// Returns all log lines so far, oldest first.
    pub fn log(&self) -> Result<Vec<String>, MiddleboxError> {
        let bytes = fs::read(&self.log).map_err(failed("read", &self.log))?;
        Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
    }

    /// Returns whether a log line reports a client disconnected by an idle timeout.
    pub fn is_expiry(&self, line: &str) -> bool {
        match self.program {
            Program::PgBouncer => pgbouncer::is_expiry(line),
            Program::HaProxy => haproxy::is_expiry(line),
        }
    }

    /// Returns whether a log line reports a client disconnected because the server was unreachable.
    pub fn is_refusal(&self, line: &str) -> bool {
        match self.program {
            Program::PgBouncer => pgbouncer::is_refusal(line),
            Program::HaProxy => haproxy::is_refusal(line),
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.join("config")
    }

    fn configure(&self) -> Result<(), MiddleboxError> {
        let server = self.state().server;
        let text = match self.program {
            Program::PgBouncer => pgbouncer::config(self.address(), server, &self.settings),
            Program::HaProxy => haproxy::config(self.address(), server, &self.settings),
        };
        write(&self.config(), &text)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn running(&self) -> Option<Arc<Daemon>> {
        self.state().daemon.clone().filter(|daemon| daemon.exited().is_none())
    }

    fn failed(&self, doing: &'static str, reason: String) -> MiddleboxError {
        MiddleboxError::Control { doing, program: self.program, reason }
    }

    /// Returns the last five lines of the log, for errors.
    fn log_tail(&self) -> String {
        let log = self.log().unwrap_or_default();
        let tail = &log[log.len().saturating_sub(5)..];
        if tail.is_empty() { String::new() } else { format!("; its log ends with:\n  {}", tail.join("\n  ")) }
    }
}

impl Drop for MiddleboxProcess {
    fn drop(&mut self) {
        if let Some(daemon) = self.state().daemon.take() {
            // SIGKILL is safe, because the program has no state on disk.
            daemon.end_now(Signal::SIGKILL);
        }
    }
}

/// Ends the middlebox of a killed run; returns whether there was one.
pub(crate) fn end_leftover(run: &Path) -> bool {
    end_orphan(&run.join(FOLDER))
}

/// Writes a file that the program can read even if it runs as another user. Only that user can enter the folder.
fn write(path: &Path, text: &str) -> Result<(), MiddleboxError> {
    fs::write(path, text).map_err(failed("write", path))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MiddleboxError {
    let path = path.to_owned();
    move |source| MiddleboxError::Folder { doing, path, source }
}
