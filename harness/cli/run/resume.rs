//! `--resume`: finds the verdicts and the seed of an earlier command in its folder, so that runs are not repeated.

use std::fs;
use std::path::Path;

use pgsquall::Run;
use pgsquall::environment::choice::ServerKind;
use pgsquall::judge::{Verdict, VerdictKind};
use pgsquall::model::plane::PlaneChoice;
use pgsquall::model::seed::Seed;

use super::jobs::Job;

/// Returns the run stored in a job's folder, if its verdict is not unknown and it had the same scenario, client,
/// supervision, device, required plane, kind of server, budget, seed and repeat. Versions of the server are not compared.
pub fn stored_run(job: &Job, server: ServerKind) -> Option<Box<Run>> {
    let verdict = read(&job.folder)?;
    let required = verdict.setup.plane_asked.then_some(PlaneChoice::Only(verdict.setup.plane));
    let stored_server = verdict.server.as_deref().and_then(|server| server.split(' ').next());
    let is_same = verdict.setup.scenario == job.scenario.asked()
        && verdict.setup.client == job.client.name()
        && verdict.setup.application == job.client.application()
        && verdict.setup.supervised == job.supervise
        && verdict.setup.device == job.scenario.device
        && required.unwrap_or_default() == job.network
        && stored_server == Some(server.word())
        && verdict.budget == job.scenario.budget.time_to_recover
        && verdict.setup.seed == job.seed
        && (verdict.setup.repeat, verdict.setup.repeats) == (job.repeat, job.repeats)
        && verdict.verdict != VerdictKind::Unknown;
    let (title, server, out) = (job.scenario.title.clone(), job.server.clone(), Some(job.folder.clone()));
    is_same.then(|| Box::new(Run { verdict, title, server, out }))
}

/// Returns the seed of any verdict below a folder; `None` if there is none. All runs of a command have the same seed.
pub fn stored_seed(folder: &Path) -> Option<Seed> {
    if let Some(verdict) = read(folder) {
        return Some(verdict.setup.seed);
    }
    let folders =
        fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).find_map(|inside| stored_seed(&inside))
}

fn read(folder: &Path) -> Option<Verdict> {
    // Ignores a truncated verdict and one of another version: the run is repeated.
    let verdict: Verdict = serde_json::from_str(&fs::read_to_string(folder.join("verdict.json")).ok()?).ok()?;
    (verdict.format == pgsquall::judge::FORMAT).then_some(verdict)
}
