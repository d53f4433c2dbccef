//! What repeats of a run tell together: how long recovery takes, how well that is known, and whether it takes longer than it
//! did. Pure: a [`Sample`] in, figures out.
//!
//! Nothing here supposes a distribution: times to recover have several modes (a retry sooner or later) and a long tail. And a
//! client that had not recovered when its run ended is never taken for one that recovered then, nor left out: it is known to
//! take longer.

mod bound;
mod counting;
mod difference;
mod normal;
mod quantile;
mod ranks;
mod sample;
mod share;
mod shift;
mod survival;
#[cfg(test)]
mod tests;

pub use bound::Bound;
pub use difference::{Delay, Difference};
pub use quantile::{Quantile, quantile};
pub use sample::{Observation, Sample};
pub use share::{Failures, fail_more_often};
pub use shift::{Shift, least_repeats, shift};
pub use survival::{Share, Step, Survival};
