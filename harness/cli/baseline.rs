//! `--baseline`: an earlier report, read before anything is done, so that a wrong name costs nobody a run.

use std::time::Duration;

use pgsquall::report::Report;
use pgsquall::report::baseline::{Comparison, compare};

use crate::args::BaselineArguments;

/// An earlier report, and what is allowed beside it.
pub struct Baseline {
    name: String,
    report: Report,
    tolerance: Duration,
}

impl Baseline {
    /// Reads the one that is asked for, if one is.
    ///
    /// *Errors*: a sentence that names the file and the remedy.
    pub fn read(arguments: &BaselineArguments) -> Result<Option<Baseline>, String> {
        let Some(path) = &arguments.baseline else { return Ok(None) };
        let (name, report) = (path.display().to_string(), Report::read(path)?);
        Ok(Some(Baseline { name, report, tolerance: arguments.tolerance }))
    }

    pub fn compare(&self, now: &Report) -> Comparison {
        compare(now, &self.name, &self.report, self.tolerance)
    }
}
