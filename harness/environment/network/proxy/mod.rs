//! One connection through the gateway: two links, what is done to the bytes on them, and how it all ends.
//!
//! `carry` is the way of one client from its arrival to its end; `connection` is the two `link`s and what both know.
//! On a link, `framing` sees the protocol in the bytes, `watcher` decides what that means, and `toxic` what becomes of
//! the bytes. `rule` is what is in force, `order` how a connection is told.

mod carry;
mod connection;
mod ending;
mod forgetting;
mod framing;
mod link;
mod machine;
mod order;
mod parcel;
mod rule;
mod timer;
#[cfg(feature = "proxy")]
mod tls;
#[cfg(not(feature = "proxy"))]
#[path = "no_tls.rs"]
mod tls;
mod toxic;
mod watcher;

pub(super) use carry::{Guest, carry};
pub(super) use machine::Machine;
pub(crate) use order::Cut;
pub(super) use order::Order;
pub(super) use rule::Rules;
pub(crate) use rule::{Expiry, Forget, Rule, Tally, What};
pub(crate) use tls::Termination;
