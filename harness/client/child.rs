//! Processes of the client under test, and the groups of their children.
//!
//! Each is in a process group of its own, which is killed as a whole: nothing of a client outlives its run, unless it leaves
//! the group on purpose; such a process still carries `PGSQUALL_RUN` in its environment.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;

use super::ClientError;

/// How much of stderr an error quotes: the last lines of a stack trace, in bytes.
const STDERR_TAIL: u64 = 1024;

/// A file that processes of the client write to, one after the other.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    /// Where what the present one writes begins.
    from: u64,
}

impl Output {
    /// *Errors*: it cannot be written to.
    pub fn append(path: PathBuf) -> Result<(Output, File), ClientError> {
        let failed = |source| ClientError::Folder { path: path.clone(), source };
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        let from = file.metadata().map_err(failed)?.len();
        Ok((Output { path, from }, file))
    }

    /// The end of what was written.
    pub fn tail(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let from = file.metadata()?.len().saturating_sub(STDERR_TAIL).max(self.from);
            file.seek(SeekFrom::Start(from))?;
            let mut tail = Vec::new();
            file.take(STDERR_TAIL).read_to_end(&mut tail)?;
            Ok(tail)
        };
        // The file only helps to understand an error; one that cannot be read is no second error.
        let tail = read().unwrap_or_default();
        String::from_utf8_lossy(&tail).trim_start_matches('\u{fffd}').trim().to_owned()
    }
}

/// The process group of a client's process; `None` once it has been disbanded.
///
/// Its number stays taken while its leader is not reaped or any member lives, so a signal reaches nobody else.
pub(super) struct Group(Mutex<Option<Pid>>);

impl Group {
    /// That of a process that leads one.
    pub fn of(child: &Child) -> Group {
        Group(Mutex::new(child.id().map(|id| Pid::from_raw(id as i32))))
    }

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
    pub fn disband(&self) {
        if let Some(leader) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

pub(super) fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("killed by signal {number} ({signal})"),
            Err(_) => format!("killed by signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}
