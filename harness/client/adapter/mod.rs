//! The client under test as a child process that speaks JSON lines on stdio, so that it can be written in any language.
//!
//! Owns the command line and the hello. `process` is the child and its process group, `lines` its stdout as bounded
//! lines, `protocol` what the lines mean, `desk` the operations in flight, `session` all of it at work. It is no shell:
//! the command line is only split into words. It never restarts an adapter; that it ended is a fact for the judge.

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

use self::process::{Heard, Process};
use self::session::Session;
use super::command_line::CommandLine;
use super::{ClientError, ClientFactory, DynClient, LaunchContext};
use crate::credentials::address::Address;
use crate::environment::support::Placements;
use crate::model::history::ClientFacts;

/// Long enough for a cold JVM or an interpreter with many imports on a busy machine.
const HELLO_WITHIN: Duration = Duration::from_secs(20);

/// A command line that starts an adapter.
#[derive(Debug)]
pub(crate) struct Adapter {
    words: CommandLine,
    /// Where it runs; `None`: where this process does.
    folder: Option<PathBuf>,
    hello_within: Duration,
}

impl Adapter {
    /// Splits a command line into words, as a shell would but without one.
    ///
    /// `built_in` names the clients that need no command line, for the error.
    ///
    /// *Errors*: [`ClientError::Unknown`] if it cannot be split, or its first word is no program that can be run.
    pub fn new(command: &str, built_in: &[&'static str]) -> Result<Adapter, ClientError> {
        let unknown = |reason| ClientError::Unknown { name: command.to_owned(), known: built_in.to_vec(), reason };
        let words = CommandLine::split(command).map_err(unknown)?;
        words.can_be_run().map_err(unknown)?;
        Ok(Adapter { words, folder: None, hello_within: HELLO_WITHIN })
    }

    /// A command line that is to run in a folder, with one more argument.
    ///
    /// *Errors*: [`ClientError::SetUp`], for the same reasons.
    pub fn in_folder(folder: &Path, command: &str, argument: &str) -> Result<Adapter, ClientError> {
        let command = format!("{command} {argument}");
        let cannot = |reason| ClientError::SetUp(format!("cannot run {command:?}: {reason}"));
        let mut words = CommandLine::split(&command).map_err(cannot)?;
        if let Some(inside) = words.program.strip_prefix("./") {
            words.program = folder.join(inside).display().to_string();
        }
        words.can_be_run().map_err(cannot)?;
        Ok(Adapter { words, folder: Some(folder.to_owned()), hello_within: HELLO_WITHIN })
    }

    /// A program with its arguments, as they are.
    pub fn of_program(program: &Path, arguments: &[&str]) -> Adapter {
        let program = program.display().to_string();
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let text = format!("{program} {}", arguments.join(" "));
        Adapter { words: CommandLine { text, program, arguments }, folder: None, hello_within: HELLO_WITHIN }
    }

    /// The same, with another limit on the wait for the hello.
    #[cfg(test)]
    pub fn with_hello_within(mut self, within: Duration) -> Adapter {
        self.hello_within = within;
        self
    }

    /// Waits for the first line; on an error, the process and its group are gone.
    async fn greet(&self, process: &mut Process) -> Result<ClientFacts, ClientError> {
        let heard = tokio::time::timeout(self.hello_within, process.hear()).await;
        if let Ok(Heard::Line(line)) = &heard
            && let Ok(facts) = protocol::hello(line)
        {
            return Ok(facts);
        }
        process.end().await;
        let (command, stderr) = (self.words.text.clone(), process.stderr_tail());
        Err(match heard {
            Ok(Heard::Line(line)) => {
                let reason = protocol::hello(&line).err().unwrap_or_default();
                ClientError::BadHello { command, reason, stderr }
            }
            Ok(Heard::Exited(status)) => ClientError::EndedEarly { command, status, stderr },
            Ok(Heard::Silent) => ClientError::BadHello { command, reason: process::SILENT.into(), stderr },
            Err(_) => match process.unfinished_line() {
                Some(line) => {
                    let reason =
                        line.blame("has no end", "end every line with a newline, and flush stdout after each one");
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
        self.words.text.clone()
    }

    fn abodes(&self) -> Placements {
        Placements { in_process: false, process: true }
    }

    async fn launch(&self, address: &Address, home: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        let (mut process, stdin) = Process::spawn(&self.words, self.folder.as_deref(), address.variables(), &home)?;
        let facts = self.greet(&mut process).await?;
        Ok(Arc::new(Session::begin(facts, process, stdin)))
    }
}
