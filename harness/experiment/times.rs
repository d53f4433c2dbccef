//! Times-to-recover for benchmarks: repeats a run, and sums its times-to-recover.

use std::time::Duration;

use super::Experiment;
use crate::error::Error;
use crate::judge::Recovery;
use crate::model::seed::Seed;
use crate::report::Run;

/// The number of rounds over which the moment of the fault is swept with one seed.
const SWEEP: u32 = 30;

/// A run that a benchmark can repeat: an [`Experiment`] or a simulation.
pub trait Question {
    /// Carries out the run with this seed, as repeat `repeat` of `of`. Blocks the thread.
    ///
    /// *Errors*: the run could not be carried out.
    fn ask(self, seed: Seed, repeat: u32, of: u32) -> Result<Run, Error>;
}

impl Question for Experiment {
    fn ask(self, seed: Seed, repeat: u32, of: u32) -> Result<Run, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
        runtime.block_on(self.seed(seed).repeat(repeat, of).run())
    }
}

/// The time-to-recover as a measurement of [criterion](https://docs.rs/criterion), or of any benchmark harness whose
/// routine returns its own time. Each round injects the fault at another moment.
///
/// ```no_run
/// # use std::time::Duration;
/// # struct Bencher;
/// # impl Bencher { fn iter_custom(&mut self, _: impl FnMut(u64) -> Duration) {} }
/// # let bencher = &mut Bencher;
/// use pgsquall::{Experiment, RecoveryTimes};
///
/// let question = || Experiment::scenario("connection-reset").unwrap().client_named("reference").unwrap();
/// let mut times = RecoveryTimes::of(question);
/// bencher.iter_custom(|rounds| times.sum(rounds));
/// ```
pub struct RecoveryTimes<F> {
    question: F,
    round: u64,
}

impl<F: FnMut() -> Q, Q: Question> RecoveryTimes<F> {
    /// `question` makes the run of each round.
    pub fn of(question: F) -> RecoveryTimes<F> {
        RecoveryTimes { question, round: 0 }
    }

    /// Carries out this many runs one after the other, and sums their times-to-recover. Wall-clock time would mostly be
    /// steady state, outage and audit.
    ///
    /// *Panics*: if a run does not pass, with its explanation: the time of a client that did not recover, or did
    /// something wrong to recover, must not enter an average. Also if the scenario has nothing to recover from, or the
    /// run cannot be carried out.
    #[track_caller]
    pub fn sum(&mut self, rounds: u64) -> Duration {
        (0..rounds).map(|_| self.next()).sum()
    }

    #[track_caller]
    fn next(&mut self) -> Duration {
        let (sweep, repeat) = (self.round / u64::from(SWEEP), self.round % u64::from(SWEEP));
        self.round += 1;
        let run = match (self.question)().ask(Seed(sweep), repeat as u32, SWEEP) {
            Ok(run) => run,
            Err(error) => panic!("cannot carry out the run: {error}"),
        };
        run.assert_pass();
        match run.verdict.measures.time_to_recover {
            Recovery::Recovered { after } => after,
            Recovery::Censored { .. } | Recovery::NotMeasured => panic!("no time-to-recover was measured:\n{run}"),
        }
    }
}
