//! Times-to-recover for benchmarks: a question that is asked again and again, and the sum of what it took.

use std::time::Duration;

use super::Experiment;
use crate::error::Error;
use crate::judge::Recovery;
use crate::model::seed::Seed;
use crate::report::Run;

/// Over how many rounds the moment of the fault is swept, before it is drawn anew.
const SWEEP: u32 = 30;

/// A question that a benchmark can ask.
pub trait Question {
    /// Asks it, with this seed, as this one of so many repeats. Blocks the thread.
    ///
    /// *Errors*: it could not be asked.
    fn ask(self, seed: Seed, repeat: u32, of: u32) -> Result<Run, Error>;
}

impl Question for Experiment {
    fn ask(self, seed: Seed, repeat: u32, of: u32) -> Result<Run, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
        runtime.block_on(self.seed(seed).repeat(repeat, of).run())
    }
}

/// The time-to-recover as a measurement of [criterion](https://docs.rs/criterion), or of any harness that lets its routine
/// say how long it took. Rounds sweep the moment of the fault, and no two are alike.
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
    /// Of this question, which is made anew for each round.
    pub fn of(question: F) -> RecoveryTimes<F> {
        RecoveryTimes { question, round: 0 }
    }

    /// Asks so many times, one after the other, and sums what recovery took. It is no wall-clock time: that of a scenario
    /// is mostly steady state, outage and audit.
    ///
    /// *Panics*: with the explanation of the run, if one does not pass, since the time of a client that did not recover, or
    /// that did something wrong to recover, is no figure to be averaged; if the scenario has nothing to recover from; and
    /// if it cannot be asked.
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
            Err(error) => panic!("it cannot be asked: {error}"),
        };
        run.assert_pass();
        match run.verdict.measures.time_to_recover {
            Recovery::Recovered { after } => after,
            Recovery::Censored { .. } | Recovery::NotMeasured => panic!("nothing was measured:\n{run}"),
        }
    }
}
