//! The simulated server: Postgres as a client sees it, in virtual time, on a host of whatever network.
//!
//! It speaks the protocol, signs clients in, and knows the few statements that workloads ask, with transactions as
//! visible to them. What a nemesis does to a real server is a method of [`Postgres`]. The behaviour, codes and
//! texts are those of the version that it is told to be; what is not known is an error that says so.
//!
//! One task listens, one task serves each connection; both stand still while the server is frozen. All state is in one
//! place, under one lock that nobody holds while waiting.

mod control;
mod gate;
mod mailbox;
mod postmaster;
mod report;
mod scram;
mod serving;
mod session;
mod settings;
mod sign_in;
mod sql;
mod store;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
mod wire;
mod world;

pub(crate) use control::Postgres;
pub(crate) use settings::Settings;
#[cfg(test)]
use settings::SignIn;
#[cfg(feature = "tls")]
pub(crate) use tls::{Clients, Tls};
pub(crate) use world::Admission;
