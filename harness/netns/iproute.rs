//! Runs the tools `ip` and `nft` in a namespace of the run, or in the host's.

use std::env;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::KernelError;
use super::namespace::NetNs;

/// Folders searched in addition to PATH: Debian gives ordinary users no `sbin`.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// Time limit of a tool. It takes some milliseconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// An installed tool.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    path: PathBuf,
}

impl Tool {
    /// Finds a tool in PATH and [`FOLDERS`]; `package`: the Debian package that contains it.
    ///
    /// *Errors*: it is not installed.
    pub fn find(name: &'static str, package: &'static str) -> Result<Tool, KernelError> {
        let listed = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&listed).chain(FOLDERS.map(PathBuf::from));
        let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
        found.map(|path| Tool { path }).ok_or(KernelError::NoTool { name, package })
    }

    /// Runs the tool in a namespace, with root's rights there; returns its output.
    ///
    /// `inherited`: descriptors that it finds at the paths of [`fd_path`](super::namespace::fd_path).
    ///
    /// *Errors*: it cannot be started, fails, or does not end in time; with its stderr.
    pub async fn run<const N: usize>(
        &self,
        netns: &NetNs,
        arguments: &[&str],
        input: &str,
        inherited: [RawFd; N],
    ) -> Result<String, KernelError> {
        let mut command = Command::new(&self.path);
        netns.enter_as_root(&mut command, inherited);
        self.run_command(command, arguments, input).await
    }

    /// Runs the tool in the host's namespace; returns its output.
    pub async fn run_here(&self, arguments: &[&str], input: &str) -> Result<String, KernelError> {
        self.run_command(Command::new(&self.path), arguments, input).await
    }

    async fn run_command(&self, mut command: Command, arguments: &[&str], input: &str) -> Result<String, KernelError> {
        let error = |reason: String| KernelError::Tool { command: self.command_line(arguments), reason };
        let failed = |source: io::Error| error(source.to_string());
        command.args(arguments).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().map_err(failed)?;
        let stdin = child.stdin.take();
        let work = async {
            if let Some(mut stdin) = stdin {
                // A tool that exits without reading its input reports the cause on stderr.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            child.wait_with_output().await
        };
        let output = match timeout(PATIENCE, work).await {
            Ok(output) => output.map_err(failed)?,
            Err(_) => return Err(error(format!("it did not end within {}", crate::model::time::show(PATIENCE)))),
        };
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let ended = match output.status.signal() {
            Some(signal) => format!("it was killed by signal {signal}"),
            None => stderr.trim().to_owned(),
        };
        Err(error(ended))
    }

    fn command_line(&self, arguments: &[&str]) -> String {
        format!("{} {}", self.path.display(), arguments.join(" "))
    }
}
