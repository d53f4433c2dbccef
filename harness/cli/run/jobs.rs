//! Experiments carried out several at once, and stopped together.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pgsquall::client::ClientChoice;
use pgsquall::environment::choice::ServerChoice;
use pgsquall::judge::VerdictKind;
use pgsquall::plane::PlaneChoice;
use pgsquall::scenario::Scenario;
use pgsquall::seed::Seed;
use pgsquall::{Error, Experiment, Run};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::progress::Progress;
use super::tell::skipped;

use crate::stop::asked_to_stop;

/// One run to be done.
pub struct Job {
    pub scenario: Scenario,
    pub client: ClientChoice,
    pub server: ServerChoice,
    pub network: PlaneChoice,
    pub supervise: bool,
    pub seed: Seed,
    pub repeat: u32,
    pub repeats: u32,
    pub folder: PathBuf,
    /// Of it and others like it, by which name it is told of.
    pub name: String,
    /// The verdict of an earlier run, which need not be repeated.
    pub kept: Option<Box<Run>>,
}

/// One run that was done, or was not.
pub struct Done {
    /// As the user named it.
    pub client: String,
    pub scenario: String,
    /// The folder that the scenario is in, which stands for a cause.
    pub group: String,
    /// The scenario, and which repeat of it; before it the client, where there are several.
    pub name: String,
    pub ending: Ending,
}

pub enum Ending {
    Judged(Box<Run>),
    Skipped(String),
    Failed(Error),
    /// Somebody pressed Ctrl-C first.
    Interrupted,
}

impl Done {
    pub fn verdict(&self) -> Option<VerdictKind> {
        match &self.ending {
            Ending::Judged(run) => Some(run.verdict.verdict),
            _ => None,
        }
    }
}

impl Job {
    /// How long its timeline is.
    fn length(&self) -> Duration {
        self.scenario.faults.iter().map(|fault| fault.at + fault.lasts).max().unwrap_or_default()
    }
}

/// Carries out all jobs, so many at once; also says whether a signal ended that early.
///
/// `told` is shown what there is whenever a run has ended.
pub async fn run_all(jobs: Vec<Job>, at_once: usize, progress: &Progress, told: impl Fn(&[Done])) -> (Vec<Done>, bool) {
    let slots = Arc::new(Semaphore::new(at_once));
    let mut done: Vec<Done> = jobs
        .iter()
        .map(|job| {
            let Scenario { name: scenario, group, .. } = job.scenario.clone();
            let ending = job.kept.clone().map_or(Ending::Interrupted, Ending::Judged);
            Done { client: job.client.name(), scenario, group, name: job.name.clone(), ending }
        })
        .collect();
    let mut running = JoinSet::new();
    // The longest first: begun last, it would be waited for alone. Slots are given out in the order of asking.
    let mut jobs: Vec<_> = jobs.into_iter().enumerate().filter(|(_, job)| job.kept.is_none()).collect();
    jobs.sort_by_key(|(_, job)| Reverse(job.length()));
    for (index, job) in jobs {
        let (slots, progress) = (Arc::clone(&slots), progress.clone());
        running.spawn(async move {
            // The semaphore is never closed.
            let _slot = slots.acquire_owned().await;
            (index, carry_out(job, &progress).await)
        });
    }
    let interrupted = tokio::select! {
        () = collect(&mut running, &mut done, told) => false,
        () = asked_to_stop() => {
            progress.say("stopping: healing faults, ending clients and servers");
            // Whoever asks twice does not want to wait; the next run then cleans up.
            tokio::spawn(async { asked_to_stop().await; std::process::exit(130) });
            running.shutdown().await;
            true
        }
    };
    (done, interrupted)
}

async fn collect(running: &mut JoinSet<(usize, Ending)>, done: &mut [Done], told: impl Fn(&[Done])) {
    told(done);
    while let Some(finished) = running.join_next().await {
        match finished {
            Ok((index, ending)) => {
                done[index].ending = ending;
                told(done);
            }
            // A panic of the harness is not to be told as anything else.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
}

async fn carry_out(job: Job, progress: &Progress) -> Ending {
    let watched = progress.begin(&job.name);
    let observer = watched.clone();
    let mut experiment = Experiment::new(job.scenario);
    if job.supervise {
        experiment = experiment.supervise();
    }
    let result = experiment
        .client_choice(&job.client)
        .server(job.server)
        .network(job.network)
        .seed(job.seed)
        .repeat(job.repeat, job.repeats)
        .out(job.folder)
        .observe(move |event| observer.see(event))
        .run()
        .await;
    let ending = match result {
        Ok(run) => Ending::Judged(Box::new(run)),
        Err(error) => match skipped(&error) {
            Some(reason) => Ending::Skipped(reason),
            None => Ending::Failed(error),
        },
    };
    watched.end(&ending);
    ending
}
