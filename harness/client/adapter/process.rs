//! The adapter's process, the group of all its children, and its stderr.
//!
//! Every child of an adapter is in a process group of its own, which is killed as a whole: nothing of a client outlives
//! its run, unless it leaves the group on purpose; such a process still carries `PGSQUALL_RUN` in its environment.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::lines::{Line, Lines};
use crate::client::{ClientError, Home};
use crate::environment::leftovers::MARK;

/// libpq lets these two override `PGHOST`: a client must not reach the user's own database through them.
const ELSEWHERE: [&str; 2] = ["PGHOSTADDR", "PGSERVICE"];

/// How much of stderr an error quotes: the last lines of a stack trace, in bytes.
const STDERR_TAIL: u64 = 1024;

/// From the end of a pipe to the exit of a process that is about to exit; a slow interpreter takes a while to fold up.
pub(super) const EXIT_WITHIN: Duration = Duration::from_secs(2);

/// What an exited process had written is already in the pipe; this waits only where someone outside the group holds it.
const DRAIN_WITHIN: Duration = Duration::from_millis(500);

/// A killed process is gone in milliseconds, unless the kernel holds it (a hung disk): then it is left to die.
const KILL_WITHIN: Duration = Duration::from_secs(5);

/// What is wrong with a process that is silent for good.
pub(super) const SILENT: &str = "it closed its stdout though it goes on running; keep stdout open: answers go there";

/// The next thing that a process does.
#[derive(Debug)]
pub(super) enum Heard {
    Line(Line),
    /// It closed its stdout and goes on running.
    Silent,
    /// It ended, and everything that it said has been heard; the status in words.
    Exited(String),
}

/// A running adapter. Dropping it kills its group.
pub(super) struct Process {
    child: Child,
    lines: Lines<ChildStdout>,
    group: Arc<Group>,
    /// In words, once the child has been reaped.
    status: Option<String>,
    stderr: PathBuf,
    /// Where in the file its own stderr begins: an earlier process of the run may have written there.
    stderr_from: u64,
}

impl Process {
    /// Starts a program in its own process group, in `folder` if one is given; its stderr is appended to `client.stderr`.
    pub fn spawn(
        program: &str,
        arguments: &[String],
        folder: Option<&Path>,
        variables: Vec<(&'static str, String)>,
        home: &Home,
    ) -> Result<(Process, ChildStdin), ClientError> {
        let stderr = home.output.join("client.stderr");
        let failed = |source| ClientError::Folder { path: stderr.clone(), source };
        let file = OpenOptions::new().create(true).append(true).open(&stderr).map_err(failed)?;
        let stderr_from = file.metadata().map_err(failed)?.len();
        let mut command = Command::new(program);
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        command.args(arguments).envs(variables).env(MARK, home.run.as_os_str()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        #[cfg(target_os = "linux")]
        if let Some(space) = &home.space {
            space.settle(&mut command, folder).map_err(|error| ClientError::SetUp(error.to_string()))?;
        }
        let mut child =
            command.spawn().map_err(|error| ClientError::SetUp(format!("cannot run {program}: {error}")))?;
        let group = Arc::new(Group(Mutex::new(child.id().map(|id| Pid::from_raw(id as i32)))));
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ClientError::SetUp(format!("{program} has no stdin or stdout")));
        };
        let process = Process { child, lines: Lines::new(stdout), group, status: None, stderr, stderr_from };
        Ok((process, stdin))
    }

    /// What it can be killed by, from anywhere.
    pub fn group(&self) -> Arc<Group> {
        self.group.clone()
    }

    /// Waits for the next line, or for the end. An exit is told only after every line written before it.
    ///
    /// *Cancel safety*: nothing is lost.
    pub async fn hear(&mut self) -> Heard {
        if self.status.is_none() {
            tokio::select! {
                line = self.lines.next() => match line {
                    Some(line) => return Heard::Line(line),
                    None if !self.exit(EXIT_WITHIN).await => return Heard::Silent,
                    None => {}
                },
                status = self.child.wait() => self.reaped(status),
            }
        }
        match timeout(DRAIN_WITHIN, self.lines.next()).await {
            Ok(Some(line)) => Heard::Line(line),
            _ => Heard::Exited(self.status.clone().unwrap_or_default()),
        }
    }

    /// Kills the group and waits until the process is gone.
    pub async fn end(&mut self) {
        self.group.signal(Signal::SIGKILL);
        self.exit(KILL_WITHIN).await;
    }

    /// The end of what it wrote to stderr.
    pub fn stderr_tail(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.stderr)?;
            let from = file.metadata()?.len().saturating_sub(STDERR_TAIL).max(self.stderr_from);
            file.seek(SeekFrom::Start(from))?;
            let mut tail = Vec::new();
            file.take(STDERR_TAIL).read_to_end(&mut tail)?;
            Ok(tail)
        };
        // The file only helps to understand an error; one that cannot be read is no second error.
        let tail = read().unwrap_or_default();
        String::from_utf8_lossy(&tail).trim_start_matches('\u{fffd}').trim().to_owned()
    }

    /// What has come of a line that has no end yet.
    pub fn unfinished_line(&self) -> Option<Line> {
        self.lines.unfinished()
    }

    async fn exit(&mut self, within: Duration) -> bool {
        if self.status.is_none()
            && let Ok(status) = timeout(within, self.child.wait()).await
        {
            self.reaped(status);
        }
        self.status.is_some()
    }

    fn reaped(&mut self, status: io::Result<ExitStatus>) {
        self.group.disband();
        self.status = Some(status.map_or_else(|error| format!("its exit status is not known: {error}"), in_words));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.signal(Signal::SIGKILL);
    }
}

/// The process group of an adapter; `None` once it has been disbanded.
///
/// Its number stays taken while its leader is not reaped or any member lives, so a signal reaches nobody else.
pub(super) struct Group(Mutex<Option<Pid>>);

impl Group {
    /// Sends a signal to every member, if there are any left.
    pub fn signal(&self, signal: Signal) {
        if let Some(leader) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // The only error to expect is that nobody is left, which is as good.
            let _ = killpg(leader, signal);
        }
    }

    /// Kills what is left after the leader was reaped, and forgets the number: from now on it may be another's.
    ///
    /// Linux gives numbers out in a circle, so that it cannot have been given out again in between.
    fn disband(&self) {
        if let Some(leader) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("killed by signal {number} ({signal})"),
            Err(_) => format!("killed by signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}
