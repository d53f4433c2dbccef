//! Exponential backoff with full jitter: `random(0, min(cap, base · 2^n))`.
//!
//! *Source*: AWS Architecture Blog, "Exponential Backoff And Jitter": among many clients, calls are cut by
//! more than half.

use std::time::Duration;

use rand::{Rng, RngExt};

/// The first bound: several loopback connects long.
const BASE: Duration = Duration::from_millis(50);

/// The last bound: what a client adds to its own time-to-recover at worst.
const CAP: Duration = Duration::from_secs(1);

/// How long to wait before the next attempt, after so many failures in a row.
pub(super) fn delay(failures: u32, chance: &mut impl Rng) -> Duration {
    let bound = BASE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(CAP);
    bound.mul_f64(chance.random::<f64>())
}

/// What the defect *backoff-never-resets* waits: four times as long each time, and no cap.
pub(super) fn growing_delay(failures: u32) -> Duration {
    BASE.saturating_mul(4_u32.saturating_pow(failures.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::seed::Seed;

    #[test]
    fn delays_stay_below_their_bound_and_the_cap() {
        let mut chance = Seed(7).rng();
        for failures in 1..40 {
            let bound = BASE.saturating_mul(1 << (failures - 1).min(10)).min(CAP);
            assert!(delay(failures, &mut chance) <= bound);
        }
    }
}
