//! Experiments carried out several at once, and stopped together.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgsquall::client::ClientChoice;
use pgsquall::environment::choice::ServerChoice;
use pgsquall::judge::VerdictKind;
use pgsquall::model::plane::PlaneChoice;
use pgsquall::model::seed::Seed;
use pgsquall::report::model::{self, Entry};
use pgsquall::scenario::Scenario;
use pgsquall::{Error, Experiment, Run};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::output::skipped;
use super::progress::Progress;

use crate::signals::asked_to_stop;

/// One run to be done.
pub struct Job {
    /// Its place in the whole that was asked for, from 0.
    pub index: u32,
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
    index: u32,
    /// As the user named it.
    client: String,
    scenario: String,
    repeat: u32,
    repeats: u32,
    folder: PathBuf,
    /// The scenario, and which repeat of it; before it the client, where there are several.
    pub name: String,
    /// By the wall clock; `None` where it did not begin, or need not.
    took: Option<Duration>,
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
    /// One that has not begun.
    fn not_yet(job: &Job) -> Done {
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

    /// As it is told; `out` is the folder of all results.
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

impl Job {
    /// How long its timeline is.
    fn length(&self) -> Duration {
        self.scenario.faults.iter().map(|fault| fault.at + fault.lasts).max().unwrap_or_default()
    }
}

/// Carries out all jobs, so many at once; also says whether a signal ended that early.
///
/// `told` is shown what there is whenever a run has ended; what goes wrong there is said, and ends nothing.
pub async fn run_all(
    jobs: Vec<Job>,
    at_once: usize,
    progress: &Progress,
    told: impl FnMut(&[Done]) -> Result<(), String>,
) -> (Vec<Done>, bool) {
    let slots = Arc::new(Semaphore::new(at_once));
    let mut done: Vec<Done> = jobs.iter().map(Done::not_yet).collect();
    let mut running = JoinSet::new();
    // The longest first: begun last, it would be waited for alone. Slots are given out in the order of asking.
    let mut jobs: Vec<_> = jobs.into_iter().enumerate().filter(|(_, job)| job.kept.is_none()).collect();
    // Of one length, clients take turns: whatever changes about the machine meanwhile is the same for all.
    jobs.sort_by_key(|(_, job)| (Reverse(job.length()), job.scenario.name.clone(), job.repeat));
    for (index, job) in jobs {
        let (slots, progress) = (Arc::clone(&slots), progress.clone());
        running.spawn(async move {
            // The semaphore is never closed.
            let _slot = slots.acquire_owned().await;
            let began = Instant::now();
            let ending = carry_out(job, &progress).await;
            (index, ending, began.elapsed())
        });
    }
    let interrupted = tokio::select! {
        () = collect(&mut running, &mut done, told, progress) => false,
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

async fn collect(
    running: &mut JoinSet<(usize, Ending, Duration)>,
    done: &mut [Done],
    mut told: impl FnMut(&[Done]) -> Result<(), String>,
    progress: &Progress,
) {
    let mut told = |done: &[Done]| told(done).unwrap_or_else(|error| progress.say(&error));
    told(done);
    while let Some(finished) = running.join_next().await {
        match finished {
            Ok((index, ending, took)) => {
                (done[index].ending, done[index].took) = (ending, Some(took));
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
