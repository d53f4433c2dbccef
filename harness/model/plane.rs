//! The planes: where the faults of a run are injected. Plain data.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{display_words, words};

words! {
    /// Where the faults of a run are injected.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
    pub enum Plane {
        /// In user space, by a proxy between client and server. Available everywhere, without privileges.
        #[default]
        Proxy = "proxy",
        /// By a packet filter between client and proxy, in network namespaces created for the run. Linux only.
        Kernel = "kernel",
        /// In virtual time, on a simulated network with a simulated server. Only for clients written in Rust.
        Simulation = "simulation",
    }
}

display_words!(Plane);

/// The requested plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaneChoice {
    /// For each scenario, the most faithful plane that is available.
    #[default]
    Auto,
    /// Only this plane.
    Only(Plane),
}

impl PlaneChoice {
    /// Every choice, by the word that `--network` takes.
    pub const ALL: [(&str, PlaneChoice); 3] = [
        ("auto", PlaneChoice::Auto),
        ("proxy", PlaneChoice::Only(Plane::Proxy)),
        ("kernel", PlaneChoice::Only(Plane::Kernel)),
    ];
}

impl FromStr for PlaneChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<PlaneChoice, String> {
        let found = PlaneChoice::ALL.iter().find(|(word, _)| *word == text);
        let words = || PlaneChoice::ALL.map(|(word, _)| word).join(", ");
        found.map(|(_, choice)| *choice).ok_or_else(|| format!("no plane {text:?}: write one of {}", words()))
    }
}

/// The fidelity that a fault requires of a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fidelity {
    /// The fault is the same on every plane.
    Alike,
    /// The proxy plane injects a valid approximation; the kernel plane injects the real fault.
    TruerInKernel,
    /// Only a packet filter can inject the fault; on the proxy plane it would be a different one.
    KernelAlone,
}

/// Where a client can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placements {
    /// In this process.
    pub in_process: bool,
    /// In its own process.
    pub process: bool,
}
