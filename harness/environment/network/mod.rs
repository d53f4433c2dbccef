//! The path between client and server: a gateway on a stable address, what can happen to connections there, and the
//! real programs that may stand behind it.

mod gateway;
mod lanes;
mod middlebox;
pub(crate) mod port;
mod proxy;
mod queue;
mod reception;
pub(crate) mod tap;
#[cfg(test)]
mod tests;

pub(crate) use gateway::Gateway;
pub use middlebox::MiddleboxError;
pub(crate) use middlebox::{MiddleboxProcess, end_leftover, find};
#[cfg(feature = "tls")]
pub(crate) use proxy::Termination;
pub(crate) use proxy::{Cut, Expiry, Forget, Rule, What};
