//! One connection through the gateway: two links, what is done to the bytes on them, and how it all ends.

mod connection;
mod ending;
mod link;
mod order;
#[expect(dead_code, reason = "in the making")]
mod parcel;
#[expect(dead_code, reason = "in the making")]
mod rule;
mod toxic;

pub(super) use connection::carry;
pub(super) use link::Traffic;
pub(crate) use order::Cut;
pub(super) use order::{Order, Orders};
pub(crate) use toxic::Toxics;
