//! Tests the search: random schedules of faults find every planted defect that shows in a simulation, and shrink to a
//! few faults; the reference survives them. `pgsquall sim` tries many more seeds.
#![cfg(feature = "simulation")]

use pgsquall::Error;
use pgsquall::model::seed::Seed;
use pgsquall::report::Run;
use pgsquall::simulation::{Failure, Outcome, Schedule, Simulation, try_seed};

/// The number of seeds among which one must find the defect.
const SEEDS: u64 = 1000;

/// The maximum number of faults after shrinking.
const FAULTS: usize = 3;

fn outcome(client: &str, seed: u64) -> Outcome<Run> {
    let ask = |schedule: &Schedule| -> Result<Run, Error> {
        Simulation::schedule(schedule)?.client_named(client)?.seed(Seed(seed)).run()
    };
    try_seed(Seed(seed), ask, Run::has_failed).unwrap()
}

/// Returns the first schedule that a client does not survive, with its seed.
fn first_failure(client: &str) -> (u64, Box<Failure<Run>>) {
    let failures = (1..=SEEDS).find_map(|seed| match outcome(client, seed) {
        Outcome::Failed(failure) => Some((seed, failure)),
        Outcome::Other(_) => None,
    });
    failures.unwrap_or_else(|| panic!("{client} survives {SEEDS} schedules"))
}

macro_rules! is_found {
    ($($test:ident $client:literal)*) => {
        $(#[test]
        fn $test() {
            let (seed, failure) = first_failure($client);
            let faults = failure.shrunk.faults().len();
            assert!((1..=FAULTS).contains(&faults), "seed {seed}:\n{}\n{}", failure.shrunk.text("t", ""), failure.result);
            assert!(failure.result.has_failed(), "{}", failure.result);
        })*
    };
}

is_found! {
    never_reconnects "never-reconnects"
    loses_a_slot "loses-a-slot"
    hangs "hangs"
    no_keepalive "no-keepalive"
    keepalive_alone "keepalive-alone"
    no_connect_timeout "no-connect-timeout"
    impatient "impatient"
    retries_unsafely "retries-unsafely"
    acknowledges_early "acknowledges-early"
    storms "storms"
    leaks_connections "leaks-connections"
    reads_old_snapshot "reads-old-snapshot"
    slows_down "slows-down"
    panics "panics"
    swallows_errors "swallows-errors"
    gives_up "gives-up"
    stays_on_standby "stays-on-standby"
    first_address_only "first-address-only"
    believes_cancelled "believes-cancelled"
    gives_up_for_ever "gives-up-for-ever"
    backoff_never_resets "backoff-never-resets"
    caches_password "caches-password"
    caches_certificates "caches-certificates"
    cancels_late "cancels-late"
    keeps_cancelled "keeps-cancelled"
    starves_waiters "starves-waiters"
}

#[test]
fn the_reference_survives() {
    for seed in 1..=200 {
        if let Outcome::Failed(failure) = outcome("reference", seed) {
            panic!("seed {seed}:\n{}\n{}", failure.shrunk.text("t", ""), failure.result);
        }
    }
}
