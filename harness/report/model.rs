//! What came of a whole `pgsquall run`: the one model that every format is written from, and that is stored as
//! `report.json`.
//!
//! It holds the verdicts as they are, and nothing of the histories but where they are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::baseline::Comparison;
use super::shard::Shards;
use crate::judge::{Verdict, VerdictKind};
use crate::model::seed::Seed;
use crate::model::time::optional_micros;
use crate::scenario::Scenario;

/// The version of the stored form. A reader refuses any other.
pub const FORMAT: u32 = 1;

/// The file in the folder of a run's results.
pub const FILE: &str = "report.json";

/// Every client in every scenario, as often as was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "report", schemars(title = "pgsquall report"))]
pub struct Report {
    /// The version of the stored form.
    pub format: u32,
    /// The version of pgsquall that wrote it.
    pub pgsquall: String,
    /// When it began, by the wall clock: RFC 3339, in UTC.
    pub began: String,
    /// The seed of all its runs.
    pub seed: Seed,
    /// The scenarios that were asked, in the order of asking.
    pub scenarios: Vec<Asked>,
    /// In the order of asking: by client, then by scenario, then by repeat.
    pub runs: Vec<Entry>,
    /// Which parts of the whole these are; absent where they are the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Shards>,
    /// What has changed since the baseline; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// A scenario, as far as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Asked {
    /// Its name; that of a file is the file's, without folder and ending.
    pub name: String,
    pub title: String,
    /// The folder that it is in, which stands for a documented cause; `file` for a file of the user's own.
    pub group: String,
    /// The documented cause, in the words of its source; empty where the file names none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// What it asks, why, and who documents it: the comment that its file begins with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl From<&Scenario> for Asked {
    fn from(scenario: &Scenario) -> Asked {
        Asked {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            group: scenario.group.clone(),
            cause: scenario.cause.clone(),
            why: scenario.why.clone(),
        }
    }
}

/// One run that was asked for: of one client, in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Entry {
    /// Its place in the whole that was asked for, from 0; shards keep it.
    pub index: u32,
    /// As the user named it.
    pub client: String,
    /// The name of one of the report's scenarios.
    pub scenario: String,
    /// Which of the repeats this was, from 0, and of how many.
    pub repeat: u32,
    pub repeats: u32,
    /// Where its history, verdict and logs are, from the report's own folder; absent where nothing was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "report", schemars(with = "Option<String>"))]
    pub folder: Option<PathBuf>,
    /// From its beginning until everything was taken down, by the wall clock; absent where it did not begin, and where its
    /// verdict is that of an earlier run.
    #[serde(rename = "took_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "report", schemars(with = "Option<u64>"))]
    pub took: Option<Duration>,
    pub ending: Ending,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Ending {
    Judged {
        verdict: Box<Verdict>,
    },
    /// It cannot truly be asked here, or of this client.
    Skipped {
        reason: String,
    },
    /// Something kept it from being carried out.
    NotCarriedOut {
        error: String,
    },
    /// It was not over when the run was stopped, or had not begun.
    Stopped,
}

impl Entry {
    /// Its verdict, if there is one.
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.ending {
            Ending::Judged { verdict } => Some(verdict),
            _ => None,
        }
    }

    /// What its verdict is, if there is one.
    pub fn kind(&self) -> Option<VerdictKind> {
        self.verdict().map(|verdict| verdict.verdict)
    }

    /// The scenario, and which of its repeats where there are several: `restart-fast 2/20`.
    pub fn name(&self) -> String {
        match self.repeats {
            0 | 1 => self.scenario.clone(),
            repeats => format!("{} {}/{repeats}", self.scenario, self.repeat + 1),
        }
    }
}

impl Report {
    /// The names of the clients, each once, in the order of asking.
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

    /// The stored form: one JSON document, the same bytes for the same report.
    pub fn to_json(&self) -> String {
        // A report holds nothing that JSON cannot express.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads a stored report: the file, or the folder of the results that it is in.
    ///
    /// *Errors*: a sentence that names the file and the remedy.
    pub fn read(path: &Path) -> Result<Report, String> {
        #[derive(Deserialize)]
        struct Stamp {
            format: u32,
            pgsquall: String,
        }
        let file = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let place = file.display();
        let remedy = "name the report.json, or the folder, that `pgsquall run --out FOLDER` has left";
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{place}: {error}; {remedy}"))?;
        // Before anything else of it, since in another format the rest may be of another shape.
        let stamp: Stamp =
            serde_json::from_str(&text).map_err(|error| format!("{place} is no report: {error}; {remedy}"))?;
        if stamp.format != FORMAT {
            return Err(format!(
                "{place} is stored in format {}, but this version reads format {FORMAT}: use pgsquall {}",
                stamp.format, stamp.pgsquall
            ));
        }
        serde_json::from_str(&text).map_err(|error| format!("{place} cannot be understood: {error}; {remedy}"))
    }
}

#[cfg(all(test, feature = "report"))]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn what_is_stored_is_read_again() {
        let report = Report { runs: samples::every_ending().runs.split_off(2), ..samples::every_ending() };
        insta::assert_snapshot!(report.to_json());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), report.to_json()).unwrap();
        assert_eq!(Report::read(folder.path()).unwrap(), report);
    }

    #[test]
    fn another_format_is_refused_before_anything_else_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("other.json");
        std::fs::write(&file, r#"{"format": 9, "pgsquall": "7.0.0", "runs": "elsewhere"}"#).unwrap();
        let error = Report::read(&file).unwrap_err();
        assert!(error.contains("stored in format 9") && error.contains("use pgsquall 7.0.0"), "{error}");
    }
}
