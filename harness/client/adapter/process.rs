//! The adapter's process, and what is heard of it.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::lines::{Line, Lines};
use crate::client::child::{Group, Output, in_words};
use crate::client::command_line::CommandLine;
use crate::client::{ClientError, LaunchContext};

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
    stderr: Output,
}

impl Process {
    /// Starts a command line in its own process group, in `folder` if one is given; its stderr is appended to
    /// `client.stderr`.
    pub fn spawn(
        words: &CommandLine,
        folder: Option<&Path>,
        variables: Vec<(&'static str, String)>,
        home: &LaunchContext,
    ) -> Result<(Process, ChildStdin), ClientError> {
        let (stderr, file) = Output::append(home.output.join("client.stderr"))?;
        let mut command = words.command(folder, variables, home)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = words.start(command)?;
        let group = Arc::new(Group::of(&child));
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ClientError::SetUp(format!("{} has no stdin or stdout", words.program)));
        };
        let process = Process { child, lines: Lines::new(stdout), group, status: None, stderr };
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
        self.stderr.tail()
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
