//! The search for a schedule of faults that a client does not survive, and for the smallest such.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::schedule::{Schedule, schedules};
use crate::model::seed::Seed;

/// The most runs that shrinking one schedule may take.
const SHRINK_RUNS: u32 = 400;

/// The result of one schedule.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<R> {
    /// The client survived it, or the run proved nothing.
    Other(R),
    /// It did not.
    Failed(Box<Failure<R>>),
}

/// A schedule that a client does not survive.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure<R> {
    /// The schedule as drawn.
    pub drawn: Schedule,
    /// The smallest that was found to fail as well.
    pub shrunk: Schedule,
    /// The result of the shrunk schedule.
    pub result: R,
    /// How many runs it took to shrink.
    pub runs: u32,
}

/// Draws the schedule of a seed, asks, and shrinks it where the client fails.
///
/// `ask` carries a schedule out; `is_failure` says of its result whether the client has failed. Equal seeds draw equal
/// schedules.
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
    // Simpler as long as it fails; where it does not, a step back towards what did.
    let mut goes_on = tree.simplify();
    while goes_on && runs < SHRINK_RUNS {
        let candidate = tree.current();
        goes_on = if candidate == shrunk {
            // Drawn otherwise, and yet the same: nothing is learnt by asking again.
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

/// The fewest faults of a schedule that still make it fail. What chance decides depends on all of them, so that taking them
/// out one by one can stop early although a pair among them would have sufficed.
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
        // A pause may have nothing left to be there for.
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

/// The schedule of a seed.
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
        // Nothing about schedules is ever rejected, so that the first is taken.
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

    /// The first failure of a client that dies of these kinds together.
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
