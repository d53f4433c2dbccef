//! Faults of the path, carried out by the gateway: connections cut, bytes withheld or delayed, new connections
//! blocked.

mod block_new;
mod cutting;
mod rule_fault;

pub(crate) use block_new::{BlockMode, BlockNewConnections};
pub(crate) use cutting::Cutting;
pub(crate) use rule_fault::RuleFault;

#[cfg(test)]
mod tests;
