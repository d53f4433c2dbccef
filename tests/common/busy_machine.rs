//! Detects runs that were disturbed by an overloaded machine, by the reasons that the harness prints.

/// No steady state before the fault, sessions still being counted when it starts, operations started late, CPU load.
pub const REASONS: [&str; 4] = ["no steady state", "could not be counted", "the harness started ", "CPU use was"];

pub fn was_overloaded(printed: &str) -> bool {
    REASONS.iter().any(|reason| printed.contains(reason))
}
