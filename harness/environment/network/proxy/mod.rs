//! One connection through the gateway: two links, what is done to the bytes on them, and how it all ends.

mod connection;
mod link;
mod toxic;

pub(super) use connection::carry;
pub(super) use link::Traffic;
pub(crate) use toxic::Toxics;
