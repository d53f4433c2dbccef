//! The result of a job: how its run ended, and its entry in the report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pgsquall::judge::VerdictKind;
use pgsquall::report::model::{self, Entry};
use pgsquall::{Error, Run};

use super::jobs::Job;

/// The result of a job.
pub struct Done {
    index: u32,
    /// The client as the user named it.
    client: String,
    scenario: String,
    repeat: u32,
    repeats: u32,
    folder: PathBuf,
    /// The name of the [`Job`].
    pub name: String,
    /// Wall time; `None` if the run has not ended (not started, or interrupted), or if `--resume` kept its verdict.
    pub took: Option<Duration>,
    pub ending: Ending,
}

pub enum Ending {
    Judged(Box<Run>),
    Skipped(String),
    Failed(Error),
    /// The run has not ended yet; final if a signal stops the command.
    Interrupted,
}

impl Done {
    /// Returns the result of a job before its run: the verdict that `--resume` kept, else [`Ending::Interrupted`].
    pub fn pending(job: &Job) -> Done {
        Done {
            index: job.index,
            client: job.client.name(),
            scenario: job.scenario.name.clone(),
            repeat: job.repeat,
            repeats: job.repeats,
            folder: job.folder.clone(),
            name: job.name.clone(),
            took: None,
            ending: job.kept.clone().map_or(Ending::Interrupted, Ending::Judged),
        }
    }

    /// Returns the run's entry in a report; `out` is the folder of all results.
    pub fn entry(&self, out: &Path) -> Entry {
        let folder = matches!(self.ending, Ending::Judged(_)).then_some(self.folder.as_path());
        Entry {
            index: self.index,
            client: self.client.clone(),
            scenario: self.scenario.clone(),
            repeat: self.repeat,
            repeats: self.repeats,
            folder: folder.and_then(|folder| folder.strip_prefix(out).ok()).map(Path::to_owned),
            took: self.took,
            ending: match &self.ending {
                Ending::Judged(run) => model::Ending::Judged { verdict: Box::new(run.verdict.clone()) },
                Ending::Skipped(reason) => model::Ending::Skipped { reason: reason.clone() },
                Ending::Failed(error) => model::Ending::NotCarriedOut { error: error.to_string() },
                Ending::Interrupted => model::Ending::Stopped,
            },
        }
    }

    pub fn verdict(&self) -> Option<VerdictKind> {
        match &self.ending {
            Ending::Judged(run) => Some(run.verdict.verdict),
            _ => None,
        }
    }
}
