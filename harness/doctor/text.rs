//! Formats a diagnosis for people: one line per finding, with advice below it.

use std::fmt::{Formatter, Result};

use super::diagnosis::Diagnosis;
use super::finding::Level;
use crate::model::time::show;

/// Widths of the first two columns: the longest level, and the longest topic.
const LEVEL: usize = 7;
const TOPIC: usize = 19;

pub(super) fn write(f: &mut Formatter<'_>, diagnosis: &Diagnosis) -> Result {
    writeln!(f, "{}", diagnosis.server)?;
    for finding in &diagnosis.findings {
        write!(f, "  {:LEVEL$}  {:TOPIC$}  {}", finding.level, finding.topic, finding.value)?;
        if let Some(took) = finding.took {
            write!(f, " ({})", show(took))?;
        }
        writeln!(f)?;
        let indent = 2 + LEVEL + 2 + TOPIC + 2;
        if let Some(advice) = &finding.advice {
            writeln!(f, "{:indent$}try: {advice}", "")?;
        }
        if finding.level > Level::Ok {
            writeln!(f, "{:indent$}source: {}", "", finding.source)?;
        }
    }
    if let Some(stage) = diagnosis.failed {
        writeln!(f, "not reached: {stage} failed; later stages were not examined")?;
    }
    let many = |count, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    writeln!(f, "{}, {}", many(diagnosis.problems, "problem"), many(diagnosis.notices, "notice"))
}
