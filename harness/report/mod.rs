//! What came of runs, told to people and to machines.
//!
//! One run is told by [`Run`]; a whole matrix of clients, scenarios and repeats is a [`Report`], from which each format is
//! written by a file of its own. `timeline` arranges a history for pictures, `baseline` puts a report beside an earlier
//! one, `shard` takes a matrix apart and `merge` puts it together.

pub mod baseline;
#[cfg(feature = "report")]
pub mod bench;
mod cell;
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

/// A run that was carried out: its verdict, and where everything about it is.
///
/// Prints as a page that says what was asked, what was found, and how to repeat it.
#[derive(Clone, Debug)]
pub struct Run {
    pub verdict: Verdict,
    /// The scenario's title.
    pub title: String,
    /// The server that was asked for.
    pub server: ServerChoice,
    /// The folder with history, verdict and logs, if any was asked for.
    pub out: Option<PathBuf>,
}

impl Run {
    /// Whether the client has failed a schedule of faults, whether all of them have met it or not.
    pub fn has_failed(&self) -> bool {
        self.verdict.kind_for_schedule() == VerdictKind::Fail
    }

    /// Panics with the whole explanation unless the verdict is *pass*; for tests.
    ///
    /// *Panics*: on *fail* and on *unknown*, for a run that proves nothing is no reason to be calm.
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
    // A schema holds nothing that JSON cannot express.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

#[cfg(all(test, feature = "report"))]
mod samples;
