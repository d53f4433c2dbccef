//! The protocol as a server sees it: messages of the client's taken apart, and its own put together.
//!
//! A codec of our own: there are two dozen messages, and the crates that know them do not serve. `postgres-protocol`
//! knows the client's side only; `pgwire` reads a body that is too short on into the message after it, panics where there
//! is none, and makes a string of every field.

pub(super) mod backend;
pub(super) mod frontend;
pub(super) mod startup;
pub(super) mod value;
