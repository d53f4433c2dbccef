//! Reports in files: those that every folder of results has, and those that were asked for.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use pgsquall::model::history::History;
use pgsquall::report::format::{Format, Wanted};
use pgsquall::report::model::Entry;
use pgsquall::report::timeline::Timeline;
use pgsquall::report::{Report, html, junit, markdown};

use crate::exit::Exit;
use crate::print::complain;

/// What every folder of results has.
pub const ALWAYS: [(Format, &str); 3] =
    [(Format::Html, "report.html"), (Format::Json, "report.json"), (Format::Markdown, "report.md")];

/// How often a report is written while its runs go on. A matrix of thousands is some megabytes long.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// The report of runs that go on.
#[derive(Default)]
pub struct Meanwhile {
    written: Option<Instant>,
}

impl Meanwhile {
    /// Stores what there is, unless that was done a moment ago. The page is made at the end: it needs every history.
    ///
    /// *Errors*: the folder cannot be written to.
    pub fn store(&mut self, folder: &Path, report: impl FnOnce() -> Report) -> Result<(), String> {
        if self.written.is_some_and(|at| at.elapsed() < WRITE_EVERY) {
            return Ok(());
        }
        let report = report();
        for (format, name) in ALWAYS.into_iter().filter(|(format, _)| *format != Format::Html) {
            store(&folder.join(name), &text(&report, folder, format))?;
        }
        self.written = Some(Instant::now());
        Ok(())
    }
}

/// Writes a report in these formats to its folder, and in those that are wanted beside. Says what cannot be written.
pub fn write(report: &Report, folder: &Path, always: &[(Format, &str)], wanted: &[Wanted]) -> Exit {
    let always = always.iter().map(|(format, name)| (*format, folder.join(name)));
    let mut exit = Exit::Pass;
    for (format, file) in always.chain(wanted.iter().map(|wanted| (wanted.format, wanted.file.clone()))) {
        if let Err(error) = store(&file, &text(report, folder, format)) {
            complain!("error: {error}");
            exit = Exit::Unavailable;
        }
    }
    exit
}

fn text(report: &Report, folder: &Path, format: Format) -> String {
    match format {
        Format::Html => html::page(report, |entry| timeline(folder, entry)),
        Format::Junit => junit::text(report),
        Format::Json => report.to_json(),
        Format::Markdown => markdown::text(report),
    }
}

/// A run in time, where its history can be read.
fn timeline(folder: &Path, entry: &Entry) -> Option<Timeline> {
    let file = folder.join(entry.folder.as_ref()?).join("history.jsonl");
    let read = || -> Result<History, String> {
        let opened = fs::File::open(&file).map_err(|error| error.to_string())?;
        History::read(io::BufReader::new(opened)).map_err(|error| error.to_string())
    };
    match read() {
        Ok(history) => Some(Timeline::from_history(&history)),
        Err(error) => {
            complain!("no timeline of {}: {}: {error}", entry.name(), file.display());
            None
        }
    }
}

/// Writes a file whole or not at all.
///
/// *Errors*: a sentence with the file's name.
fn store(file: &Path, text: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("{} cannot be written: {error}", file.display());
    let name = file.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
    // What is no plain file, a pipe say, is written to as it is.
    if fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        return fs::write(file, text).map_err(failed);
    }
    let unfinished = file.with_file_name(format!(".{}.unfinished", name.to_string_lossy()));
    fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, file)).map_err(|error| {
        // What is left of it would only be in the way; that it cannot be removed either changes nothing.
        let _ = fs::remove_file(&unfinished);
        failed(error)
    })
}
