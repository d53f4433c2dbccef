//! Whether what is told of runs has a reason that only a machine gives which has too much to do.

/// A client that is not well even before the fault, sessions that are still being counted when it comes, operations that are
/// begun late, nothing to spare.
pub const REASONS: [&str; 4] = ["no steady state", "could not be counted", "the harness ", "the machine was busy"];

pub fn is_out_of_breath(told: &str) -> bool {
    REASONS.iter().any(|reason| told.contains(reason))
}
