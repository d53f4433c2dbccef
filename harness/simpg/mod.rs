//! The simulated server: Postgres as a client sees it, in virtual time, on a host of any network.
//!
//! It speaks the protocol, signs clients in, and runs the few statements that workloads send, in isolated
//! transactions. The faults of a nemesis are methods of [`Postgres`]. Behaviour, codes and texts are those of the
//! major version in [`Settings`]; an unknown statement fails with an error that names it.
//!
//! One task listens, one task serves each connection; none is polled while the server is frozen. All state is in one
//! `world::World` under one lock, which is never held across an await. `world::Server` has its methods in `world`,
//! `postmaster` (phases), `sign_in` (checks) and `control` (faults); `session::Session` in the files of `session` and
//! in `sign_in`: one type each, one file per concern.

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
