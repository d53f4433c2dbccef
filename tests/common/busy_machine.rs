//! Detects runs that an overloaded machine has disturbed, by the doubts that the harness prints.

/// Parts of these doubts: no steady state before the fault, sessions not counted in time, operations started late,
/// CPU load.
pub const REASONS: [&str; 4] = ["no steady state", "could not be counted", "the harness started ", "CPU use was"];

pub fn was_overloaded(printed: &str) -> bool {
    REASONS.iter().any(|reason| printed.contains(reason))
}
