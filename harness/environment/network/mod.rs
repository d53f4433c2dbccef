//! The path between client and server: a gateway on a stable address, and what can happen to connections there.

mod gateway;
pub(crate) mod port;
mod proxy;
mod reception;
#[cfg(test)]
mod tests;

pub(crate) use gateway::Gateway;
pub(crate) use proxy::{Cut, Toxics};
