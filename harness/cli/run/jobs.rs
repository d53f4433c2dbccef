//! Runs experiments, several at the same time; a signal stops them together.
//!
//! Longer scenarios start first, and within a scenario clients alternate.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgsquall::client::ClientChoice;
use pgsquall::environment::choice::ServerChoice;
use pgsquall::model::plane::PlaneChoice;
use pgsquall::model::seed::Seed;
use pgsquall::scenario::Scenario;
use pgsquall::{Experiment, Run};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::done::{Done, Ending};
use super::output::skip_reason;
use super::progress::Progress;
use crate::signals::stop_requested;

/// A run to carry out, or one whose verdict `--resume` keeps.
pub struct Job {
    /// Position among the runs of all shards, from 0.
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
    /// Name in progress and results: the scenario, with client and repeat if there are several.
    pub name: String,
    /// The result of an earlier run (`--resume`); the run is not repeated.
    pub kept: Option<Box<Run>>,
}

impl Job {
    /// Returns when the scenario's last fault ends, to estimate which run takes longest.
    fn length(&self) -> Duration {
        self.scenario.faults.iter().map(|fault| fault.at + fault.lasts).max().unwrap_or_default()
    }
}

/// Carries out all jobs, `at_once` at a time. Returns results in the order of jobs, and whether a signal stopped them.
///
/// Calls `store` with all results at the start and whenever a run has ended; prints its errors, which end no run.
pub async fn run_all(
    jobs: Vec<Job>,
    at_once: usize,
    progress: &Progress,
    store: impl FnMut(&[Done]) -> Result<(), String>,
) -> (Vec<Done>, bool) {
    let slots = Arc::new(Semaphore::new(at_once));
    let mut done: Vec<Done> = jobs.iter().map(Done::pending).collect();
    let mut running = JoinSet::new();
    // The longest first: started last, it would run alone at the end. The semaphore is fair, so it keeps this order.
    let mut jobs: Vec<_> = jobs.into_iter().enumerate().filter(|(_, job)| job.kept.is_none()).collect();
    // The sort is stable: clients take turns at a repeat, so that a change in the machine's load affects all of them.
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
        () = collect(&mut running, &mut done, store, progress) => false,
        () = stop_requested() => {
            progress.print("stopping: healing faults, ending clients and servers");
            // A second signal exits at once; the next run of pgsquall then cleans up.
            tokio::spawn(async { stop_requested().await; std::process::exit(130) });
            running.shutdown().await;
            true
        }
    };
    (done, interrupted)
}

async fn collect(
    running: &mut JoinSet<(usize, Ending, Duration)>,
    done: &mut [Done],
    mut store: impl FnMut(&[Done]) -> Result<(), String>,
    progress: &Progress,
) {
    let mut store = |done: &[Done]| store(done).unwrap_or_else(|error| progress.print(&error));
    store(done);
    while let Some(finished) = running.join_next().await {
        match finished {
            Ok((index, ending, took)) => {
                (done[index].ending, done[index].took) = (ending, Some(took));
                store(done);
            }
            // A panic is a defect of the harness: pass it on.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
}

async fn carry_out(job: Job, progress: &Progress) -> Ending {
    let line = progress.begin(&job.name);
    let observer = line.clone();
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
        .observe(move |event| observer.show(event))
        .run()
        .await;
    let ending = match result {
        Ok(run) => Ending::Judged(Box::new(run)),
        Err(error) => match skip_reason(&error) {
            Some(reason) => Ending::Skipped(reason),
            None => Ending::Failed(error),
        },
    };
    line.end(&ending);
    ending
}
