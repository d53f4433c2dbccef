//! The result of a whole `pgsquall run`: the model from which every format is written, stored as `report.json`.
//!
//! It holds the verdicts unchanged. The histories stay in the folders of their runs, and the report holds the paths
//! of these.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::shard::Shards;
use crate::judge::{Verdict, VerdictKind};
use crate::model::seed::Seed;
use crate::model::time::optional_micros;
use crate::scenario::Scenario;

/// The version of the stored form. [`Report::read`] refuses any other.
pub const FORMAT: u32 = 1;

/// Name of the file in the folder of results.
pub const FILE: &str = "report.json";

/// All runs of a matrix: every client in every scenario, with repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "report", schemars(title = "pgsquall report"))]
pub struct Report {
    /// The version of the stored form.
    pub format: u32,
    /// The version of pgsquall that wrote it.
    pub pgsquall: String,
    /// When the matrix began, by the wall clock: RFC 3339, in UTC.
    pub began: String,
    /// The seed of all runs.
    pub seed: Seed,
    /// The scenarios, in the order of the command line.
    pub scenarios: Vec<ScenarioInfo>,
    /// The runs, ordered by client, then by scenario, then by repeat.
    pub runs: Vec<Entry>,
    /// The shards that the report contains; absent if it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Shards>,
    /// The comparison with the baseline; absent if none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// A scenario as reports show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct ScenarioInfo {
    /// Its name; for a scenario file, the file's name without folder and extension.
    pub name: String,
    pub title: String,
    /// Its folder in the catalogue, one for each documented cause; `file` for the user's own scenario file.
    pub group: String,
    /// The documented cause, quoted from its source; empty if the file names none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// The head comment of its file: question, reason and source.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl From<&Scenario> for ScenarioInfo {
    fn from(scenario: &Scenario) -> ScenarioInfo {
        ScenarioInfo {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            group: scenario.group.clone(),
            cause: scenario.cause.clone(),
            why: scenario.why.clone(),
        }
    }
}

/// One run of one client in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Entry {
    /// Its index in the whole matrix, from 0; the same in every shard.
    pub index: u32,
    /// The client as the user named it.
    pub client: String,
    /// The name of one of the report's scenarios.
    pub scenario: String,
    /// Number of this repeat, from 0; `repeats` is how many there are.
    pub repeat: u32,
    pub repeats: u32,
    /// Folder of its history, verdict and logs, relative to the report's folder; absent if they were not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "report", schemars(with = "Option<String>"))]
    pub folder: Option<PathBuf>,
    /// From the start of the run to the end of its clean-up, by the wall clock; absent if it did not begin, or if its verdict
    /// was taken from an earlier run.
    #[serde(rename = "took_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub took: Option<Duration>,
    pub ending: Ending,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Ending {
    Judged {
        verdict: Box<Verdict>,
    },
    /// The scenario cannot be run here, or not with this client.
    Skipped {
        reason: String,
    },
    /// An error prevented the run.
    NotCarriedOut {
        error: String,
    },
    /// The matrix was stopped before this run ended or began.
    Stopped,
}

impl Entry {
    /// The verdict, if there is one.
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.ending {
            Ending::Judged { verdict } => Some(verdict),
            _ => None,
        }
    }

    /// The kind of the verdict, if there is one.
    pub fn kind(&self) -> Option<VerdictKind> {
        self.verdict().map(|verdict| verdict.verdict)
    }

    /// The scenario, with the number of the repeat if there are several: `restart-fast 2/20`.
    pub fn name(&self) -> String {
        match self.repeats {
            0 | 1 => self.scenario.clone(),
            repeats => format!("{} {}/{repeats}", self.scenario, self.repeat + 1),
        }
    }
}

impl Report {
    /// The names of the clients, each once, in the order of the runs.
    pub fn clients(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for entry in &self.runs {
            if !names.contains(&entry.client.as_str()) {
                names.push(&entry.client);
            }
        }
        names
    }

    /// How many runs have this verdict.
    pub fn count(&self, kind: VerdictKind) -> usize {
        self.runs.iter().filter(|entry| entry.kind() == Some(kind)).count()
    }

    /// The stored JSON document; the same report gives the same bytes.
    pub fn to_json(&self) -> String {
        // A report has no value that JSON cannot express.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads a stored report; `path` is the file or its folder.
    ///
    /// *Errors*: the file cannot be read or parsed, or has another format; the message names the file and the remedy.
    pub fn read(path: &Path) -> Result<Report, String> {
        #[derive(Deserialize)]
        struct Stamp {
            format: u32,
            pgsquall: String,
        }
        let file = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let place = file.display();
        let remedy = "name a report.json, or the folder that `pgsquall run --out FOLDER` wrote";
        let text = std::fs::read_to_string(&file).map_err(|error| format!("cannot read {place}: {error}; {remedy}"))?;
        // Only format and version are parsed first, because another format may differ in everything else.
        let stamp: Stamp = serde_json::from_str(&text)
            .map_err(|error| format!("cannot read {place} as a report: {error}; {remedy}"))?;
        if stamp.format != FORMAT {
            return Err(format!(
                "cannot read {place}: it has format {}, and this version reads format {FORMAT}; use pgsquall {}",
                stamp.format, stamp.pgsquall
            ));
        }
        serde_json::from_str(&text).map_err(|error| format!("cannot read {place} as a report: {error}; {remedy}"))
    }
}

#[cfg(all(test, feature = "report"))]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn stored_report_is_read_again() {
        let report = Report { runs: samples::every_ending().runs.split_off(2), ..samples::every_ending() };
        insta::assert_snapshot!(report.to_json());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), report.to_json()).unwrap();
        assert_eq!(Report::read(folder.path()).unwrap(), report);
    }

    #[test]
    fn other_format_is_refused_before_parsing_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("other.json");
        std::fs::write(&file, r#"{"format": 9, "pgsquall": "7.0.0", "runs": "elsewhere"}"#).unwrap();
        let error = Report::read(&file).unwrap_err();
        assert!(error.contains("it has format 9") && error.contains("use pgsquall 7.0.0"), "{error}");
    }
}
