//! Faults of the path: connections cut, bytes held or delayed, the door shut.

mod cutting;
mod door;
mod imposing;

pub(super) use cutting::Cutting;
pub(super) use door::{Door, Shutting};
pub(super) use imposing::Imposing;
