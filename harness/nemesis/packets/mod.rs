//! Faults of the kernel plane, done to packets between the client and the gateway.

mod filtering;
mod half_open;
mod idle;
mod names;
mod rules;

pub(super) use filtering::Filtering;
pub(super) use half_open::HalfOpening;
pub(super) use idle::{ForgettingIdle, Style};
pub(super) use names::naming;
pub(super) use rules::{rules, unanswered};

use super::NemesisError;
use crate::environment::Environment;
use crate::netns::Kernel;

/// The kernel plane of a run that has one; `expressible` keeps these faults from all others.
fn kernel(environment: &Environment) -> Result<&Kernel, NemesisError> {
    environment.kernel.as_ref().ok_or_else(|| NemesisError::NotInForce("this run is not on the kernel plane".into()))
}
