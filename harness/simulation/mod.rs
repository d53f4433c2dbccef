//! The simulation plane: client, gateway and server as simulated hosts, in virtual time.

#[allow(dead_code, unused_imports, reason = "not in use before all of it is there")]
mod network;
#[allow(dead_code, unused_imports, reason = "not in use before all of it is there")]
mod postgres;
mod schedule;
mod search;

pub use schedule::{Schedule, schedules};
pub use search::{Failure, Outcome, schedule_of, try_seed};
