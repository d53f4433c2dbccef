//! `--baseline`: reads an earlier report before any run starts, so that a wrong file name is an error at once.

use std::time::Duration;

use pgsquall::report::Report;
use pgsquall::report::baseline::compare;
use pgsquall::report::comparison::Comparison;

use crate::args::BaselineArguments;

/// An earlier report, and the tolerance of the comparison.
pub struct Baseline {
    name: String,
    report: Report,
    tolerance: Duration,
}

impl Baseline {
    /// Reads the report that `--baseline` names; `None` without it.
    ///
    /// *Errors*: a message with the file and the fix.
    pub fn read(arguments: &BaselineArguments) -> Result<Option<Baseline>, String> {
        let Some(path) = &arguments.baseline else { return Ok(None) };
        let (name, report) = (path.display().to_string(), Report::read(path)?);
        Ok(Some(Baseline { name, report, tolerance: arguments.tolerance }))
    }

    pub fn compare(&self, now: &Report) -> Comparison {
        compare(now, &self.name, &self.report, self.tolerance)
    }
}
