//! The search for a schedule of faults that makes a client fail, and for the smallest one that still does.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::schedule::{Schedule, schedules};
use crate::model::seed::Seed;

/// The most runs of proptest's shrinking. [`fewest`] afterwards takes up to 2ⁿ - 2 more, for n remaining faults.
const SHRINK_RUNS: u32 = 400;

/// The result of one schedule.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<R> {
    /// The client did not fail: it passed, or the run is inconclusive.
    Other(R),
    /// The client failed.
    Failed(Box<Failure<R>>),
}

/// A schedule that makes a client fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure<R> {
    /// The schedule as drawn.
    pub drawn: Schedule,
    /// The smallest schedule found that also fails.
    pub shrunk: Schedule,
    /// The result of the shrunk schedule.
    pub result: R,
    /// The number of runs that shrinking took.
    pub runs: u32,
}

/// Draws the schedule of a seed, runs it, and shrinks it if the client fails.
///
/// `ask` runs a schedule; `is_failure` decides from the result whether the client failed. Equal seeds draw equal
/// schedules.
///
/// *Errors*: the first error of `ask`.
pub fn try_seed<R, E>(
    seed: Seed,
    mut ask: impl FnMut(&Schedule) -> Result<R, E>,
    is_failure: impl Fn(&R) -> bool,
) -> Result<Outcome<R>, E> {
    let mut tree = drawn(seed);
    let drawn = tree.current();
    let mut result = ask(&drawn)?;
    if !is_failure(&result) {
        return Ok(Outcome::Other(result));
    }
    let (mut shrunk, mut runs) = (drawn.clone(), 0);
    // Simplifies while the schedule fails; after one that passes, steps back towards the last failure.
    let mut goes_on = tree.simplify();
    while goes_on && runs < SHRINK_RUNS {
        let candidate = tree.current();
        goes_on = if candidate == shrunk {
            // Another draw can give the same schedule, which need not run again.
            tree.simplify()
        } else {
            runs += 1;
            let found = ask(&candidate)?;
            if is_failure(&found) {
                (shrunk, result) = (candidate, found);
                tree.simplify()
            } else {
                tree.complicate()
            }
        };
    }
    if let Some((fewest, of_fewest)) = fewest(&shrunk, &mut runs, &mut ask, &is_failure)? {
        (shrunk, result) = (fewest, of_fewest);
    }
    Ok(Outcome::Failed(Box::new(Failure { drawn, shrunk, result, runs })))
}

/// Finds the smallest proper subset of a schedule's faults that still fails; `None`: no proper subset does. Removing
/// faults one by one does not suffice, because each removal changes all later random choices: it can stop although two
/// of the remaining faults suffice.
fn fewest<R, E>(
    schedule: &Schedule,
    runs: &mut u32,
    ask: &mut impl FnMut(&Schedule) -> Result<R, E>,
    is_failure: &impl Fn(&R) -> bool,
) -> Result<Option<(Schedule, R)>, E> {
    let all = schedule.faults().len();
    let mut choices: Vec<Vec<usize>> =
        (1u32..(1 << all) - 1).map(|bits| (0..all).filter(|place| bits & (1 << place) != 0).collect()).collect();
    choices.sort_by_key(Vec::len);
    for choice in choices {
        let candidate = schedule.with_only(&choice);
        // A pause that begins after the last remaining fault is not valid in a scenario.
        if candidate.scenario("fewer").is_err() {
            continue;
        }
        *runs += 1;
        let found = ask(&candidate)?;
        if is_failure(&found) {
            return Ok(Some((candidate, found)));
        }
    }
    Ok(None)
}

/// The schedule that [`try_seed`] draws for a seed.
pub fn schedule_of(seed: Seed) -> Schedule {
    drawn(seed).current()
}

fn drawn(seed: Seed) -> impl ValueTree<Value = Schedule> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.fork("schedule").0.to_le_bytes());
    let chance = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    // The caller reports failures; proptest keeps no file of them.
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, chance);
    loop {
        // The strategy rejects no draw, so that the first succeeds.
        if let Ok(tree) = schedules().new_tree(&mut runner) {
            return tree;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::model::fault::FaultKind;

    fn has(schedule: &Schedule, kind: FaultKind) -> bool {
        schedule.faults().iter().any(|fault| fault.kind == kind)
    }

    /// The first failure of a client that fails if all these kinds of faults occur.
    fn found(kinds: &[FaultKind]) -> (u64, Failure<bool>) {
        for seed in 0..10_000 {
            let ask = |schedule: &Schedule| Ok::<_, Infallible>(kinds.iter().all(|kind| has(schedule, *kind)));
            if let Ok(Outcome::Failed(failure)) = try_seed(Seed(seed), ask, |dies| *dies) {
                return (seed, *failure);
            }
        }
        panic!("never found");
    }

    #[test]
    fn a_failure_shrinks_to_what_it_takes() {
        let (_, one) = found(&[FaultKind::Freeze]);
        let [fault] = one.shrunk.faults() else { panic!("{:?}", one.shrunk) };
        assert_eq!(fault.kind, FaultKind::Freeze);
        let shortest = std::time::Duration::from_millis(500);
        assert_eq!(fault.lasts, shortest, "nothing asks for a longer one");
        let (_, two) = found(&[FaultKind::Freeze, FaultKind::Refuse]);
        assert_eq!(two.shrunk.faults().len(), 2);
        assert!(two.runs < SHRINK_RUNS, "{}", two.runs);
    }

    #[test]
    fn the_same_seed_finds_the_same() {
        let kinds = [FaultKind::Hang];
        assert_eq!(found(&kinds), found(&kinds));
        assert_eq!(schedule_of(Seed(7)), schedule_of(Seed(7)));
        assert_ne!(schedule_of(Seed(7)), schedule_of(Seed(8)));
    }
}
