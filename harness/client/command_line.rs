//! A command line of the client under test, and the process started from it. No shell is involved.

use std::env;
use std::path::Path;

use nix::unistd::{AccessFlags, access};
use tokio::process::{Child, Command};

use super::{ClientError, LaunchContext};
use crate::run_folder::MARK;

/// libpq lets these two override `PGHOST`: a client must not reach the user's own database through them.
const ELSEWHERE: [&str; 2] = ["PGHOSTADDR", "PGSERVICE"];

/// A command line, split into words as a shell would, but without one.
#[derive(Clone, Debug)]
pub(super) struct CommandLine {
    /// The command line as the user wrote it.
    pub text: String,
    pub program: String,
    pub arguments: Vec<String>,
}

impl CommandLine {
    /// Splits a text into words.
    ///
    /// *Errors*: why the text cannot be split.
    pub fn split(text: &str) -> Result<CommandLine, String> {
        let words = shlex::split(text).ok_or("a quote is never closed, or a backslash ends the command line")?;
        let (program, arguments) = words.split_first().ok_or("the command line is empty")?;
        Ok(CommandLine { text: text.to_owned(), program: program.clone(), arguments: arguments.to_vec() })
    }

    /// This command line with `text` replaced by `value` in every word.
    pub fn replace(&self, text: &str, value: &str) -> CommandLine {
        let replace = |word: &String| word.replace(text, value);
        CommandLine {
            text: replace(&self.text),
            program: replace(&self.program),
            arguments: self.arguments.iter().map(replace).collect(),
        }
    }

    /// Finds the program as `execvp` does, so that a typo is reported before the run starts.
    ///
    /// *Errors*: why the program cannot be run.
    pub fn check_runnable(&self) -> Result<(), String> {
        let program = &self.program;
        let executable = |path: &Path| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
        let path = Path::new(program);
        if program.contains('/') {
            return match (executable(path), path.exists()) {
                (true, _) => Ok(()),
                (false, true) => Err(format!("{program} is not an executable file (chmod +x?)")),
                (false, false) if self.arguments.is_empty() => Err(format!("there is no file {program}")),
                (false, false) => Err(format!("there is no file {program}; quote a path that contains spaces")),
            };
        }
        let folders = env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        if env::split_paths(&folders).any(|folder| executable(&folder.join(program))) {
            return Ok(());
        }
        match path.is_file() {
            true => Err(format!("{program} is not in PATH; for the file in this folder, write ./{program}")),
            false => Err(format!("{program} is not in PATH")),
        }
    }

    /// The command that starts a client's process in its own process group, in the network namespace of `context` if
    /// there is one, and in `folder` if one is given. Its environment has the run's mark and `variables`, which name
    /// the database.
    ///
    /// *Errors*: the command cannot be prepared for the namespace.
    pub fn command(
        &self,
        folder: Option<&Path>,
        variables: Vec<(&'static str, String)>,
        context: &LaunchContext,
    ) -> Result<Command, ClientError> {
        let mut command = Command::new(&self.program);
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        command.args(&self.arguments).envs(variables).env(MARK, context.run.as_os_str()).process_group(0);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        if let Some(space) = &context.space {
            space.enter_as_user(&mut command, folder).map_err(|error| ClientError::SetUp(error.to_string()))?;
        }
        Ok(command)
    }

    /// Starts a command made by [`CommandLine::command`].
    ///
    /// *Errors*: the program cannot be executed, or the namespace cannot be entered.
    pub fn start(&self, mut command: Command) -> Result<Child, ClientError> {
        command.spawn().map_err(|error| ClientError::SetUp(format!("cannot run {}: {error}", self.program)))
    }
}
