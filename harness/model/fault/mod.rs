//! Faults: a kind, an onset and a duration. Plain data; `nemesis` injects them.

mod certificate;
mod device;
mod expiry;
mod failover;
mod keys;
mod kind;
mod network;
mod packets;
mod point;
mod spec;
mod toxic;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use certificate::CertificateFault;
pub use device::{DeviceAsked, IdleDevice, IdleStyle, LARGEST_SCALE, USUAL_SCALE};
pub use expiry::ServerTimeout;
pub use failover::Failover;
pub use keys::{Form, Key, KeyError, Value, Values};
pub use kind::{FaultKind, StopMode};
pub use packets::{IcmpCode, NameFault};
pub use point::{CutPoint, Point, Strike};
pub use spec::{
    Acts, Course, Entry, ExpectedError, Failures, FaultSpec, Hosts, Memory, Need, Operations, Remedy, Shape,
};
pub use toxic::{Scope, Share, Stream, Toxic, ToxicKind};

use crate::model::time::micros;

/// One fault of a timeline.
///
/// *Units*: `at` counts from the first moment of steady state (from the start of the run if a fault precedes the
/// client); `lasts` is zero for instant faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub kind: FaultKind,
    /// When it is injected.
    #[serde(rename = "at_us", with = "micros")]
    pub at: Duration,
    /// The time from *in force* to the heal.
    #[serde(rename = "for_us", with = "micros")]
    pub lasts: Duration,
}

/// Whether a client can be expected to recover by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The fault ends without a repair: the client must recover by itself, within its budget.
    Transient,
    /// The fault lasts until it is repaired: the client must report it quickly and clearly, without flooding the server
    /// with attempts, and work again after the repair.
    Persistent,
}

#[cfg(test)]
mod tests;
