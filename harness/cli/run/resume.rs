//! What an earlier run of the same questions has left in its folder, so that it need not be asked again.

use std::fs;
use std::path::Path;

use pgsquall::Run;
use pgsquall::judge::{Verdict, VerdictKind};
use pgsquall::model::seed::Seed;

use super::jobs::Job;

/// The verdict that a job's folder holds, if it answers the job's question. One that is unknown answers nothing.
pub fn kept(job: &Job) -> Option<Box<Run>> {
    let verdict = read(&job.folder)?;
    let answers = verdict.scenario == job.scenario.asked()
        && verdict.client == job.client.name()
        && verdict.application == job.client.application()
        && verdict.supervised == job.supervise
        && verdict.budget == job.scenario.budget.time_to_recover
        && verdict.seed == job.seed
        && (verdict.repeat, verdict.repeats) == (job.repeat, job.repeats)
        && verdict.verdict != VerdictKind::Unknown;
    let (title, server, out) = (job.scenario.title.clone(), job.server.clone(), Some(job.folder.clone()));
    answers.then(|| Box::new(Run { verdict, title, server, out }))
}

/// The seed of what is in the folder of an earlier run, at whatever depth; `None` where nothing is.
pub fn seed(folder: &Path) -> Option<Seed> {
    if let Some(verdict) = read(folder) {
        return Some(verdict.seed);
    }
    let folders =
        fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).find_map(|inside| seed(&inside))
}

fn read(folder: &Path) -> Option<Verdict> {
    // One that was cut off, or is of another version, is asked again.
    let verdict: Verdict = serde_json::from_str(&fs::read_to_string(folder.join("verdict.json")).ok()?).ok()?;
    (verdict.format == pgsquall::judge::FORMAT).then_some(verdict)
}
