//! The client under test as a child process that speaks JSON lines on stdio, so that it can be written in any language.
//!
//! Owns the launch and the wait for the hello. `process` is the child and its process group, `lines` its stdout as
//! bounded lines, `protocol` the meaning of the lines, `pending` the operations in flight, and `session` connects them.
//! No shell is involved: the command line is only split into words. An adapter is never restarted here; its exit is
//! reported to the judge.
//!
//! A scenario that needs a capability which the client's hello does not name is skipped with that reason. A false
//! claim shows as a failure of the client. Shipped adapters neither retry nor wait: the profile *default* is the
//! library with its own defaults, *tuned* has the settings that its documentation offers for recovery.

mod lines;
mod pending;
mod process;
pub(super) mod protocol;
mod session;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::process::{Process, ProcessEvent};
use self::session::Session;
use super::command_line::CommandLine;
use super::{ClientError, ClientFactory, DynClient, LaunchContext};
use crate::credentials::address::Address;
use crate::model::history::ClientFacts;
use crate::model::plane::Placements;

/// Time limit of the hello: long enough for a cold JVM or an interpreter with many imports on a busy machine.
const HELLO_WITHIN: Duration = Duration::from_secs(20);

/// A command line that starts an adapter.
#[derive(Debug)]
pub(crate) struct Adapter {
    command_line: CommandLine,
    /// The adapter's working directory; `None`: this process's.
    folder: Option<PathBuf>,
    hello_within: Duration,
}

impl Adapter {
    /// Splits a command line into words, as a shell would but without one.
    ///
    /// `built_in` names the clients that need no command line, for the error.
    ///
    /// *Errors*: [`ClientError::Unknown`] if it cannot be split, or its first word is not an executable program.
    pub fn new(command: &str, built_in: &[&'static str]) -> Result<Adapter, ClientError> {
        let unknown = |reason| ClientError::Unknown { name: command.to_owned(), known: built_in.to_vec(), reason };
        let command_line = CommandLine::split(command).map_err(unknown)?;
        command_line.check_runnable().map_err(unknown)?;
        Ok(Adapter { command_line, folder: None, hello_within: HELLO_WITHIN })
    }

    /// A command line that runs in `folder`, with one more argument.
    ///
    /// *Errors*: [`ClientError::SetUp`] if it cannot be split, or its first word is not an executable program.
    pub fn in_folder(folder: &Path, command: &str, argument: &str) -> Result<Adapter, ClientError> {
        let command = format!("{command} {argument}");
        let cannot = |reason| ClientError::SetUp(format!("cannot run {command:?}: {reason}"));
        let mut command_line = CommandLine::split(&command).map_err(cannot)?;
        if let Some(inside) = command_line.program.strip_prefix("./") {
            command_line.program = folder.join(inside).display().to_string();
        }
        command_line.check_runnable().map_err(cannot)?;
        Ok(Adapter { command_line, folder: Some(folder.to_owned()), hello_within: HELLO_WITHIN })
    }

    /// A program with these arguments.
    pub fn from_program(program: &Path, arguments: &[&str]) -> Adapter {
        let program = program.display().to_string();
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let text = format!("{program} {}", arguments.join(" "));
        Adapter { command_line: CommandLine { text, program, arguments }, folder: None, hello_within: HELLO_WITHIN }
    }

    /// Sets the time limit of the hello.
    #[cfg(test)]
    pub fn with_hello_within(mut self, within: Duration) -> Adapter {
        self.hello_within = within;
        self
    }

    /// Waits for the hello; on an error, the process and its group are killed.
    async fn wait_for_hello(&self, process: &mut Process) -> Result<ClientFacts, ClientError> {
        let first = tokio::time::timeout(self.hello_within, process.next_event()).await;
        if let Ok(ProcessEvent::Line(line)) = &first
            && let Ok(facts) = protocol::parse_hello(line)
        {
            return Ok(facts);
        }
        process.kill().await;
        let (command, stderr) = (self.command_line.text.clone(), process.stderr_tail());
        Err(match first {
            Ok(ProcessEvent::Line(line)) => {
                let reason = protocol::parse_hello(&line).err().unwrap_or_default();
                ClientError::BadHello { command, reason, stderr }
            }
            Ok(ProcessEvent::Exited(status)) => ClientError::EndedEarly { command, status, stderr },
            Ok(ProcessEvent::StdoutClosed) => {
                ClientError::BadHello { command, reason: process::STDOUT_CLOSED.into(), stderr }
            }
            Err(_) => match process.unfinished_line() {
                Some(line) => {
                    let reason = line
                        .protocol_error("has no end", "end every line with a newline, and flush stdout after each one");
                    ClientError::BadHello { command, reason, stderr }
                }
                None => ClientError::NoHello { command, within: self.hello_within, stderr },
            },
        })
    }
}

#[async_trait]
impl ClientFactory for Adapter {
    fn name(&self) -> String {
        self.command_line.text.clone()
    }

    fn placements(&self) -> Placements {
        Placements { in_process: false, process: true }
    }

    async fn launch(&self, address: &Address, context: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        let (mut process, stdin) =
            Process::spawn(&self.command_line, self.folder.as_deref(), address.variables(), &context)?;
        let facts = self.wait_for_hello(&mut process).await?;
        Ok(Arc::new(Session::start(facts, process, stdin)))
    }
}
