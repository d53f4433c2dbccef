//! The simulation plane: client, gateway and server as simulated hosts, in virtual time.

#[allow(dead_code, unused_imports, reason = "not in use before all of it is there")]
mod network;
#[allow(dead_code, unused_imports, reason = "not in use before all of it is there")]
mod postgres;
mod schedule;

pub use schedule::{Schedule, schedules};
