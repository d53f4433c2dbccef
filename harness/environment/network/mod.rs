//! The path between client and server: a gateway on a stable address, and what can happen to connections there.

mod gateway;
mod lanes;
pub(crate) mod port;
mod proxy;
mod queue;
mod reception;
pub(crate) mod tap;
#[cfg(test)]
mod tests;

pub(crate) use gateway::Gateway;
#[cfg(feature = "tls")]
pub(crate) use proxy::Termination;
pub(crate) use proxy::{Cut, Expiry, Forget, Rule, What};
