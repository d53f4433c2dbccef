//! Simulates random schedules, up to `--seeds`, until the client does not survive one; shrinks that one and prints it
//! as a scenario file.

use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use pgsquall::judge::VerdictKind;
use pgsquall::model::seed::Seed;
use pgsquall::model::time::show;
use pgsquall::report::Run;
use pgsquall::simulation::{Failure, Outcome, Schedule, Simulation, try_seed};

use crate::args::SimArguments;
use crate::exit::Exit;
use crate::print::{complain, say};

/// The maximum number of reasons for inconclusive runs that are printed.
const REASONS: usize = 3;

/// The search for a schedule that one client does not survive.
pub struct Search<'a> {
    pub client: &'a str,
    pub arguments: &'a SimArguments,
    pub threads: usize,
}

/// State shared by the threads.
#[derive(Default)]
struct Shared {
    /// The number of seeds that threads have taken.
    given: AtomicU64,
    /// Set by a failure or an error: threads then finish the schedule that they simulate, and end.
    over: AtomicBool,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    passed: u64,
    /// Inconclusive runs, by their reason.
    unknown: BTreeMap<String, u64>,
    /// The failure with the lowest seed, if several threads found one.
    failure: Option<(u64, Failure<Run>)>,
    error: Option<(Exit, String)>,
}

impl Search<'_> {
    /// Searches, and prints the result. The exit is unknown if no schedule proved anything.
    pub fn carry_out(&self) -> Exit {
        let (shared, began, bar) = (Shared::default(), Instant::now(), self.bar());
        thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| self.work(&shared, &bar));
            }
        });
        bar.finish_and_clear();
        let found = shared.found.into_inner();
        self.print_result(found, began.elapsed())
    }

    fn bar(&self) -> ProgressBar {
        let bar = ProgressBar::new(self.arguments.seeds);
        let template = "{prefix} {bar:30} {pos}/{len} schedules, {per_sec}, {eta} left";
        // The template is a constant; if it did not parse, the default bar still shows progress.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(self.client.to_owned());
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar
    }

    /// Tries seeds until the search ends; `try_seed` also shrinks a failure.
    fn work(&self, shared: &Shared, bar: &ProgressBar) {
        while !shared.over.load(Ordering::Relaxed) {
            let index = shared.given.fetch_add(1, Ordering::Relaxed);
            if index >= self.arguments.seeds {
                return;
            }
            let seed = self.arguments.seed.wrapping_add(index);
            let outcome = try_seed(Seed(seed), |schedule| self.simulate(schedule, seed), is_failure);
            let mut found = shared.found.lock();
            match outcome {
                Ok(Outcome::Other(run)) if run.verdict.kind_for_schedule() == VerdictKind::Pass => found.passed += 1,
                Ok(Outcome::Other(run)) => {
                    let reason = run.verdict.doubts.into_iter().next().unwrap_or_default();
                    *found.unknown.entry(reason).or_default() += 1;
                }
                Ok(Outcome::Failed(failure)) => {
                    shared.over.store(true, Ordering::Relaxed);
                    if found.failure.as_ref().is_none_or(|(first, _)| seed < *first) {
                        found.failure = Some((seed, *failure));
                    }
                }
                Err(error) => {
                    shared.over.store(true, Ordering::Relaxed);
                    found.error = Some((Exit::from(&error), format!("seed {seed}: {error}")));
                }
            }
            drop(found);
            bar.inc(1);
        }
    }

    fn simulation(&self, schedule: &Schedule, seed: u64) -> Result<Simulation, pgsquall::Error> {
        Ok(Simulation::schedule(schedule)?.client_named(self.client)?.seed(Seed(seed)))
    }

    fn simulate(&self, schedule: &Schedule, seed: u64) -> Result<Run, pgsquall::Error> {
        self.simulation(schedule, seed)?.run()
    }

    fn print_result(&self, found: Found, took: Duration) -> Exit {
        let Found { passed, unknown, failure, error } = found;
        if let Some((exit, error)) = error {
            complain!("error: {error}");
            return exit;
        }
        let unproved: u64 = unknown.values().sum();
        let simulated = passed + unproved + u64::from(failure.is_some());
        let speed = simulated as f64 / took.as_secs_f64().max(f64::EPSILON);
        let speed = format!("{simulated} schedules in {}, {speed:.0} a second", show(took));
        let Some((seed, failure)) = failure else {
            say!("{}: survived {passed} schedules; {unproved} were inconclusive; {speed}", self.client);
            let mut reasons: Vec<_> = unknown.into_iter().collect();
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            reasons.iter().take(REASONS).for_each(|(reason, count)| say!("  {count} times: {reason}"));
            return if passed == 0 { Exit::Unknown } else { Exit::Pass };
        };
        say!("{}: does not survive the schedule of seed {seed}; {speed}", self.client);
        let (drawn, shrunk) = (failure.drawn.faults().len(), failure.shrunk.faults().len());
        say!("  drawn with {drawn} faults; shrunk to {shrunk} in {} runs:\n", failure.runs);
        let text = self.text(seed, &failure);
        say!("{}\n\n{}", text.trim_end(), failure.result.to_string().trim_end());
        match self.arguments.out.as_deref().map(|out| self.store(out, seed, &failure, &text)) {
            None => {
                say!(
                    "  for real  store the scenario above as FILE and run: pgsquall run FILE --client {} --repeat 10",
                    self.client
                )
            }
            Some(Ok(file)) => say!("  for real  pgsquall run {} --client {} --repeat 10", file.display(), self.client),
            Some(Err(error)) => {
                complain!("error: {error}");
                return Exit::Unavailable;
            }
        }
        Exit::Fail
    }

    /// Returns the text of the failure's scenario file.
    fn text(&self, seed: u64, failure: &Failure<Run>) -> String {
        let why = format!(
            "Found by pgsquall sim: the smallest schedule of faults it found that the client {}\ndoes not \
             survive. Again: pgsquall sim --client {} --seed {seed} --seeds 1",
            self.client, self.client
        );
        failure.shrunk.text(&format!("Schedule of seed {seed}, shrunk"), &why)
    }

    /// Stores the failure's scenario file, and simulates it once more to store its history and verdict.
    ///
    /// *Errors*: a message; the folder cannot be written to.
    fn store(&self, out: &Path, seed: u64, failure: &Failure<Run>, text: &str) -> Result<PathBuf, String> {
        let name = format!("{}-{seed}", self.client);
        let file = out.join(format!("{name}.toml"));
        let written = fs::create_dir_all(out).and_then(|()| fs::write(&file, text));
        written.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        let again = self.simulation(&failure.shrunk, seed).map(|simulation| simulation.out(out.join(name)));
        again.and_then(|simulation| simulation.run()).map_err(|error| error.to_string())?;
        Ok(file)
    }
}

fn is_failure(run: &Run) -> bool {
    run.verdict.kind_for_schedule() == VerdictKind::Fail
}
