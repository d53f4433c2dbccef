//! Faults of the path: connections cut, bytes held or delayed, the door shut.

mod block_new;
mod cutting;
mod rule_fault;

pub(crate) use block_new::{Door, Shutting};
pub(crate) use cutting::Cutting;
pub(crate) use rule_fault::Imposing;

#[cfg(test)]
mod tests;
