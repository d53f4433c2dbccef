//! The path between client and server: a gateway on a stable address, what can happen to connections there, and the
//! real programs that may stand behind it.

mod gateway;
#[cfg(target_os = "linux")]
pub mod kernel;
#[cfg(not(target_os = "linux"))]
#[path = "no_kernel.rs"]
pub mod kernel;
mod lanes;
mod middlebox;
mod packets;
pub(crate) mod port;
mod proxy;
mod queue;
mod reception;
#[cfg(test)]
pub(crate) mod samples;
mod saying;
mod shared;
pub(crate) mod tap;
#[cfg(test)]
mod tests;
#[allow(dead_code, reason = "not in use before all of it is there")]
pub(crate) mod transport;

pub(crate) use gateway::Gateway;
pub(crate) use kernel::Kernel;
pub use kernel::KernelError;
pub use middlebox::MiddleboxError;
pub(crate) use middlebox::{MiddleboxProcess, end_leftover, find};
#[cfg(feature = "proxy")]
pub(crate) use proxy::Termination;
pub(crate) use proxy::{Cut, Expiry, Forget, Rule, What};
pub(crate) use tap::Tap;
