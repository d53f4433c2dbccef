//! The adapter's process: its stdout lines, its exit, and its stderr.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::lines::{Line, Lines};
use crate::client::child::{Group, OutputFile, describe_exit};
use crate::client::command_line::CommandLine;
use crate::client::{ClientError, LaunchContext};

/// Time limit from the end of a pipe to the exit of a process that is exiting: a slow interpreter takes a while to shut
/// down.
pub(super) const EXIT_WITHIN: Duration = Duration::from_secs(2);

/// Time limit for the next line of an exited process. Its output is already in the pipe; the limit passes only if a
/// process outside the group holds the pipe.
const DRAIN_WITHIN: Duration = Duration::from_millis(500);

/// Time limit from SIGKILL to the exit. A killed process is gone in milliseconds, unless the kernel blocks it (a hung
/// disk): then the harness stops waiting.
const KILL_WITHIN: Duration = Duration::from_secs(5);

/// The violation of a process that closed its stdout and keeps running.
pub(super) const STDOUT_CLOSED: &str =
    "it closed its stdout but keeps running; keep stdout open, because answers go there";

/// The next event of a process.
#[derive(Debug)]
pub(super) enum ProcessEvent {
    Line(Line),
    /// It closed its stdout and keeps running.
    StdoutClosed,
    /// It exited, and all its lines have been read; the status in words.
    Exited(String),
}

/// A running adapter. Dropping it kills its group.
pub(super) struct Process {
    child: Child,
    lines: Lines<ChildStdout>,
    group: Arc<Group>,
    /// The exit status in words, once the child has been reaped.
    status: Option<String>,
    stderr: OutputFile,
}

impl Process {
    /// Starts a command line in its own process group, in `folder` if one is given; its stderr is appended to
    /// `client.stderr`.
    ///
    /// *Errors*: that file cannot be opened, or the program cannot be executed.
    pub fn spawn(
        command_line: &CommandLine,
        folder: Option<&Path>,
        variables: Vec<(&'static str, String)>,
        context: &LaunchContext,
    ) -> Result<(Process, ChildStdin), ClientError> {
        let (stderr, file) = OutputFile::append(context.output.join("client.stderr"))?;
        let mut command = command_line.command(folder, variables, context)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = command_line.start(command)?;
        let group = Arc::new(Group::led_by(&child));
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ClientError::SetUp(format!("{} has no stdin or stdout", command_line.program)));
        };
        let process = Process { child, lines: Lines::new(stdout), group, status: None, stderr };
        Ok((process, stdin))
    }

    /// The process group, to kill it from elsewhere.
    pub fn group(&self) -> Arc<Group> {
        self.group.clone()
    }

    /// Waits for the next event. An exit is reported after every line written before it.
    ///
    /// *Cancel safety*: no line is lost.
    pub async fn next_event(&mut self) -> ProcessEvent {
        if self.status.is_none() {
            tokio::select! {
                line = self.lines.next() => match line {
                    Some(line) => return ProcessEvent::Line(line),
                    None if !self.wait_for_exit(EXIT_WITHIN).await => return ProcessEvent::StdoutClosed,
                    None => {}
                },
                status = self.child.wait() => self.record_exit(status),
            }
        }
        match timeout(DRAIN_WITHIN, self.lines.next()).await {
            Ok(Some(line)) => ProcessEvent::Line(line),
            _ => ProcessEvent::Exited(self.status.clone().unwrap_or_default()),
        }
    }

    /// Kills the group, and waits for the exit of the process, at most [`KILL_WITHIN`].
    pub async fn kill(&mut self) {
        self.group.signal(Signal::SIGKILL);
        self.wait_for_exit(KILL_WITHIN).await;
    }

    /// The end of the process's stderr.
    pub fn stderr_tail(&self) -> String {
        self.stderr.tail()
    }

    /// The part of a line that has no newline yet.
    pub fn unfinished_line(&self) -> Option<Line> {
        self.lines.unfinished()
    }

    async fn wait_for_exit(&mut self, within: Duration) -> bool {
        if self.status.is_none()
            && let Ok(status) = timeout(within, self.child.wait()).await
        {
            self.record_exit(status);
        }
        self.status.is_some()
    }

    fn record_exit(&mut self, status: io::Result<ExitStatus>) {
        self.group.disband();
        self.status = Some(status.map_or_else(|error| format!("its exit status is unknown: {error}"), describe_exit));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.signal(Signal::SIGKILL);
    }
}
