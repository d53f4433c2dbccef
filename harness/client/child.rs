//! Processes of the client under test: their process groups, and the files of their output.
//!
//! Each process leads a process group, which is killed as a whole: no process of a client outlives its run, unless it
//! leaves the group on purpose; such a process still carries `PGSQUALL_RUN` in its environment.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::process::Child;

use super::ClientError;

/// Bytes of stderr that an error quotes: the last lines of a stack trace.
const STDERR_TAIL: u64 = 1024;

/// A file to which processes of the client append, one after the other.
#[derive(Debug)]
pub(super) struct OutputFile {
    path: PathBuf,
    /// Where the output of the present process begins.
    from: u64,
}

impl OutputFile {
    /// Opens the file for appending.
    ///
    /// *Errors*: the file cannot be opened.
    pub fn append(path: PathBuf) -> Result<(OutputFile, File), ClientError> {
        let failed = |source| ClientError::Folder { path: path.clone(), source };
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        let from = file.metadata().map_err(failed)?.len();
        Ok((OutputFile { path, from }, file))
    }

    /// The end of the present process's output: at most [`STDERR_TAIL`] bytes, trimmed. Empty if the file cannot be
    /// read.
    pub fn tail(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let from = file.metadata()?.len().saturating_sub(STDERR_TAIL).max(self.from);
            file.seek(SeekFrom::Start(from))?;
            let mut tail = Vec::new();
            file.take(STDERR_TAIL).read_to_end(&mut tail)?;
            Ok(tail)
        };
        // The output only explains another error; failing to read it is not a second one.
        let tail = read().unwrap_or_default();
        String::from_utf8_lossy(&tail).trim_start_matches('\u{fffd}').trim().to_owned()
    }
}

/// The process group of a client's process; `None` once it has been disbanded.
///
/// The number stays in use until its leader is reaped and no member lives, so a signal cannot reach another group.
pub(super) struct Group(Mutex<Option<Pid>>);

impl Group {
    /// The group led by this process.
    pub fn led_by(child: &Child) -> Group {
        Group(Mutex::new(child.id().map(|id| Pid::from_raw(id as i32))))
    }

    /// Sends a signal to every living member.
    pub fn signal(&self, signal: Signal) {
        if let Some(leader) = *self.0.lock() {
            // The only expected error is that no member is left.
            let _ = killpg(leader, signal);
        }
    }

    /// Kills the remaining members after the leader was reaped, and forgets the number: from now on another group may
    /// get it.
    ///
    /// Linux assigns numbers in a circle, so it cannot have been assigned again in between.
    pub fn disband(&self) {
        if let Some(leader) = self.0.lock().take() {
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

pub(super) fn describe_exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("killed by signal {number} ({signal})"),
            Err(_) => format!("killed by signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}
