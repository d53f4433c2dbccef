//! `pgsquall report`: merges stored reports and writes the result in any format, or prints the JSON schema.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pgsquall::judge::VerdictKind;
use pgsquall::report::model::Ending;
use pgsquall::report::{self, Report};

use crate::args::{MergeArguments, ReportVerb};
use crate::baseline::Baseline;
use crate::exit::Exit;
use crate::print::{self, complain, say};
use crate::run::{Out, output};
use crate::writers;

pub fn report(verb: ReportVerb) -> Exit {
    match verb {
        ReportVerb::Schema => {
            print::text(&report::schema());
            Exit::Pass
        }
        ReportVerb::Merge(arguments) => merge(arguments).unwrap_or_else(|(error, exit)| {
            complain!("error: {error}");
            exit
        }),
    }
}

fn merge(arguments: MergeArguments) -> Result<Exit, (String, Exit)> {
    let usage = |error: String| (error, Exit::Usage);
    let mut parts = Vec::new();
    for folder in &arguments.folders {
        parts.push((folder.display().to_string(), Report::read(folder).map_err(usage)?));
    }
    let folders = |report: &Report| report.runs.iter().filter_map(|entry| entry.folder.clone()).collect();
    let run_folders: Vec<Vec<PathBuf>> = parts.iter().map(|(_, report)| folders(report)).collect();
    let baseline = Baseline::read(&arguments.baseline).map_err(usage)?;
    let mut merged = report::merge(parts).map_err(usage)?;
    merged.comparison = baseline.map(|baseline| baseline.compare(&merged));
    let folder = match (arguments.out, arguments.folders.as_slice()) {
        (Some(out), folders) => {
            let out = Out::make(out).map_err(usage)?;
            for (from, inside) in folders.iter().zip(&run_folders) {
                copy_runs(from, inside, out.path()).map_err(|error| (error, Exit::Unavailable))?;
            }
            out.path().to_owned()
        }
        (None, [only]) => only.clone(),
        (None, _) => return Err(usage("cannot merge several folders without a new one: write --out DIR".to_owned())),
    };
    output::table(&merged);
    output::comparison(&merged);
    say!("\n{}", merged.counts());
    merged.warnings().iter().for_each(|line| complain!("{line}"));
    let written = writers::write(&merged, &folder, true, &arguments.report.files);
    say!("histories, verdicts and logs are in {0}; open {0}/report.html in a browser", folder.display());
    Ok(worst(&merged).max(written))
}

/// Returns the worst exit of all runs and of the comparison; at best unknown if a shard is missing.
fn worst(report: &Report) -> Exit {
    let endings = report.runs.iter().filter_map(|entry| match &entry.ending {
        Ending::Judged { verdict } => Some(output::verdict_exit(verdict.verdict, report)),
        Ending::NotCarriedOut { .. } => Some(Exit::Unavailable),
        Ending::Stopped => Some(VerdictKind::Unknown.into()),
        Ending::Skipped { .. } => None,
    });
    let worst = endings.max().unwrap_or(Exit::Unavailable).max(output::comparison_exit(report));
    if report.shards.is_some() { worst.max(Exit::Unknown) } else { worst }
}

/// Copies these folders of runs from one folder of results to another; does nothing if both are the same folder.
///
/// *Errors*: a message with the folder that points outside `from` or cannot be copied.
fn copy_runs(from: &Path, folders: &[PathBuf], to: &Path) -> Result<(), String> {
    if from.canonicalize().ok() == to.canonicalize().ok() {
        return Ok(());
    }
    for inside in folders {
        // A report may come from elsewhere: its paths must not lead out of its folder.
        if inside.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            return Err(format!("{}: {} points outside the folder", from.display(), inside.display()));
        }
        let (from, to) = (from.join(inside), to.join(inside));
        copy(&from, &to).map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for found in fs::read_dir(from)? {
        let found = found?;
        let to = to.join(found.file_name());
        // A run writes only files and folders: skip anything else, for example links.
        match found.file_type()? {
            kind if kind.is_dir() => copy(&found.path(), &to)?,
            kind if kind.is_file() => drop(fs::copy(found.path(), to)?),
            _ => {}
        }
    }
    Ok(())
}
