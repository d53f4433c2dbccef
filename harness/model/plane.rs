//! The planes: where the faults of a run are brought about. Plain data.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{display_words, words};

words! {
    /// Where the faults of a run are brought about.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
    pub enum Plane {
        /// In user space, by a proxy that ends the client's connections: everywhere, without privileges.
        #[default]
        Proxy = "proxy",
        /// By a packet filter between client and proxy, in network namespaces of the run's own: Linux.
        Kernel = "kernel",
        /// In virtual time, between simulated hosts: a client written in Rust, against a simulated server.
        Simulation = "simulation",
    }
}

display_words!(Plane);

/// The requested plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaneChoice {
    /// For each scenario the most faithful that there is here.
    #[default]
    Auto,
    /// This one, and no other.
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
    /// Every plane does the same.
    Alike,
    /// The proxy plane does it honestly, and the kernel plane as it is in life.
    TruerInKernel,
    /// Only the kernel plane can: elsewhere it would be another fault.
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
