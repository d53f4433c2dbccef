//! Faults of the path: connections cut, bytes held or delayed, the door shut.

mod cutting;
mod door;
mod imposing;

pub(crate) use cutting::Cutting;
pub(crate) use door::{Door, Shutting};
pub(crate) use imposing::Imposing;

#[cfg(test)]
mod tests;
