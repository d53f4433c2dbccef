//! `--resume`: verdicts of an earlier run with the same arguments, so that its runs need not be repeated.

use std::fs;
use std::path::Path;

use pgsquall::Run;
use pgsquall::judge::{Verdict, VerdictKind};
use pgsquall::model::seed::Seed;

use super::jobs::Job;

/// The verdict in a job's folder, if it is of the same run and not unknown.
pub fn stored_run(job: &Job) -> Option<Box<Run>> {
    let verdict = read(&job.folder)?;
    let is_same = verdict.setup.scenario == job.scenario.asked()
        && verdict.setup.client == job.client.name()
        && verdict.setup.application == job.client.application()
        && verdict.setup.supervised == job.supervise
        && verdict.budget == job.scenario.budget.time_to_recover
        && verdict.setup.seed == job.seed
        && (verdict.setup.repeat, verdict.setup.repeats) == (job.repeat, job.repeats)
        && verdict.verdict != VerdictKind::Unknown;
    let (title, server, out) = (job.scenario.title.clone(), job.server.clone(), Some(job.folder.clone()));
    is_same.then(|| Box::new(Run { verdict, title, server, out }))
}

/// The seed of the first verdict found below a folder; `None` if there is none.
pub fn stored_seed(folder: &Path) -> Option<Seed> {
    if let Some(verdict) = read(folder) {
        return Some(verdict.setup.seed);
    }
    let folders =
        fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).find_map(|inside| stored_seed(&inside))
}

fn read(folder: &Path) -> Option<Verdict> {
    // A truncated verdict, or one of another version, is ignored: its run is repeated.
    let verdict: Verdict = serde_json::from_str(&fs::read_to_string(folder.join("verdict.json")).ok()?).ok()?;
    (verdict.format == pgsquall::judge::FORMAT).then_some(verdict)
}
