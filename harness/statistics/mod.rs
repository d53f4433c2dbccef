//! Statistics of repeated runs: the distribution of recovery times, its confidence limits, and whether recovery takes longer
//! than before. Pure: turns a [`Sample`] into figures.
//!
//! No distribution is assumed: recovery times have several modes (a retry sooner or later) and a long tail. The time
//! of a client that had not recovered when its observation ended is *censored*: all figures use it as a lower bound.

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
