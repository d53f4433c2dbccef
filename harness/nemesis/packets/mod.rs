//! Faults that the kernel plane carries out on packets between the client and the gateway, or in the name server.

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

/// Returns the kernel plane; `expressible` rejects these faults in runs without one.
fn kernel(environment: &Environment) -> Result<&Kernel, NemesisError> {
    environment.kernel.as_ref().ok_or_else(|| NemesisError::NotInForce("this run is not on the kernel plane".into()))
}
