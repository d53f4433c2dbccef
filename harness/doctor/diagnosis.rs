//! All findings of one examination.

use std::fmt;

use serde::Serialize;

use super::finding::{Finding, Level, Stage};
use super::text;

/// The version of the JSON form. Raise it if a field changes its meaning or is removed, not for new fields.
pub const FORMAT: u32 = 1;

/// The result of an examination. `Display` formats it for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// [`FORMAT`].
    pub format: u32,
    /// The server's URL without credentials or parameters.
    pub server: String,
    /// The stage that failed; `None` if the server answered at least the first query.
    pub failed: Option<Stage>,
    pub problems: usize,
    pub notices: usize,
    /// In the order of the stages, then by topic.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    pub(super) fn new(server: String, failed: Option<Stage>, findings: Vec<Finding>) -> Diagnosis {
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        let (problems, notices) = (count(Level::Problem), count(Level::Notice));
        Diagnosis { format: FORMAT, server, failed, problems, notices, findings }
    }

    /// Formats the diagnosis as one JSON object, ending with a newline.
    ///
    /// *Errors*: serde's; a diagnosis has no value that JSON cannot express.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(f, self)
    }
}
