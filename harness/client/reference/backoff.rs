//! Exponential backoff with full jitter: `random(0, min(cap, base · 2^n))`.
//!
//! *Source*: AWS Architecture Blog, "Exponential Backoff And Jitter": with many clients, it cuts the number of calls
//! by more than half.

use std::time::Duration;

use rand::{Rng, RngExt};

/// The first bound: several loopback connects.
const BASE: Duration = Duration::from_millis(50);

/// The last bound: the longest pause, and so the most that backoff adds to a client's time-to-recover.
const CAP: Duration = Duration::from_secs(1);

/// The pause before the next attempt, after this many failures in a row.
pub(super) fn delay(failures: u32, chance: &mut impl Rng) -> Duration {
    let bound = BASE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(CAP);
    bound.mul_f64(chance.random::<f64>())
}

/// The pause of the defect *backoff-never-resets*: four times as long each time, without a cap.
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
