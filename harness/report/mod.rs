//! Reports of runs for people and programs.
//!
//! [`Run`] reports one run; a [`Report`] holds a whole matrix of clients, scenarios and repeats, and each format is written by
//! a file of its own. `timeline` arranges a history for pictures, `baseline` compares a report with an earlier one, `shard`
//! splits a matrix and `merge` joins its parts. No file here judges a run or reads a history except through `timeline`.
//!
//! All formats are written from one stored report, so that shards merge by joining lists and a page can be written
//! again later. A test reads the same figures out of each format.

pub mod baseline;
#[cfg(feature = "report")]
pub mod bench;
mod cell;
pub mod comparison;
#[cfg(feature = "report")]
pub mod format;
#[cfg(feature = "report")]
pub mod html;
#[cfg(feature = "report")]
pub mod junit;
#[cfg(feature = "report")]
pub mod markdown;
#[cfg(feature = "report")]
pub mod matrix;
mod merge;
pub mod model;
pub mod shard;
mod summary;
#[cfg(feature = "report")]
pub mod table;
pub mod text;
pub mod timeline;

use std::fmt;
use std::path::PathBuf;

pub use cell::Cell;
pub use merge::merge;
pub use model::Report;
pub use text::explain;

use crate::environment::choice::ServerChoice;
use crate::judge::{Verdict, VerdictKind};

/// A run that was carried out: its verdict and its files.
///
/// `Display` writes a page with verdict, findings, figures and the command that repeats the run.
#[derive(Clone, Debug)]
pub struct Run {
    pub verdict: Verdict,
    /// The scenario's title.
    pub title: String,
    /// The server that the user chose.
    pub server: ServerChoice,
    /// The folder with history, verdict and logs, if they were kept.
    pub out: Option<PathBuf>,
}

impl Run {
    /// Whether the client failed a schedule of faults, even if not all of them affected it.
    pub fn has_failed(&self) -> bool {
        self.verdict.kind_for_schedule() == VerdictKind::Fail
    }

    /// Requires the verdict *pass*; for tests.
    ///
    /// *Panics*: with the whole page on *fail*, and on *unknown* because an inconclusive run proves nothing about the
    /// client.
    #[track_caller]
    pub fn assert_pass(&self) {
        assert!(self.verdict.verdict == VerdictKind::Pass, "{self}");
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&explain(&self.verdict))?;
        if let Some(out) = &self.out {
            writeln!(f, "  history   {}", out.join("history.jsonl").display())?;
        }
        Ok(())
    }
}

/// The JSON Schema (2020-12) of a stored report.
#[cfg(feature = "report")]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Report);
    // A schema has no value that JSON cannot express.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

#[cfg(all(test, feature = "report"))]
mod samples;
