//! Writes report files: those in every folder of results, and those of `--report`.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use pgsquall::model::history::History;
use pgsquall::report::Report;
use pgsquall::report::format::{Format, Wanted, always};
use pgsquall::report::model::Entry;
use pgsquall::report::timeline::Timeline;

use crate::exit::Exit;
use crate::print::complain;

/// The shortest time between two writes of the report during its runs: with thousands of runs it has some megabytes.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Writes the report repeatedly during its runs, so that a killed command leaves one.
#[derive(Default)]
pub struct InterimReport {
    written: Option<Instant>,
}

impl InterimReport {
    /// Stores the report so far, but at most once a second. Omits formats that read every history.
    ///
    /// *Errors*: a message; the folder cannot be written to.
    pub fn store(&mut self, folder: &Path, report: impl FnOnce() -> Report) -> Result<(), String> {
        if self.written.is_some_and(|at| at.elapsed() < WRITE_EVERY) {
            return Ok(());
        }
        let report = report();
        for Wanted { format, file } in always().filter(|wanted| !wanted.format.reads_histories) {
            store(&folder.join(file), &render(&report, folder, format))?;
        }
        self.written = Some(Instant::now());
        Ok(())
    }
}

/// Writes a report to its folder, if that is kept, and to the files of `wanted`. Prints errors.
pub fn write(report: &Report, folder: &Path, is_kept: bool, wanted: &[Wanted]) -> Exit {
    let always = always().filter(|_| is_kept);
    let always = always.map(|Wanted { format, file }| Wanted { format, file: folder.join(file) });
    let mut exit = Exit::Pass;
    for Wanted { format, file } in always.chain(wanted.iter().cloned()) {
        if let Err(error) = store(&file, &render(report, folder, format)) {
            complain!("error: {error}");
            exit = Exit::Unavailable;
        }
    }
    exit
}

fn render(report: &Report, folder: &Path, format: &Format) -> String {
    (format.write)(report, &|entry| timeline(folder, entry))
}

/// Returns a run's timeline; prints a message and returns `None` if its history cannot be read.
fn timeline(folder: &Path, entry: &Entry) -> Option<Timeline> {
    let file = folder.join(entry.folder.as_ref()?).join("history.jsonl");
    let read = || -> Result<History, String> {
        let opened = fs::File::open(&file).map_err(|error| error.to_string())?;
        History::read(io::BufReader::new(opened)).map_err(|error| error.to_string())
    };
    match read() {
        Ok(history) => Some(Timeline::from_history(&history)),
        Err(error) => {
            complain!("cannot draw the timeline of {}: {}: {error}", entry.name(), file.display());
            None
        }
    }
}

/// Writes a file whole or not at all, by renaming a finished one.
///
/// *Errors*: a message with the file's name.
fn store(file: &Path, text: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", file.display());
    let name = file.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
    // Writes to a pipe or device directly, because a rename would replace it by a file.
    if fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        return fs::write(file, text).map_err(failed);
    }
    let unfinished = file.with_file_name(format!(".{}.unfinished", name.to_string_lossy()));
    fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, file)).map_err(|error| {
        // Best effort: the error to report is the first one.
        let _ = fs::remove_file(&unfinished);
        failed(error)
    })
}
