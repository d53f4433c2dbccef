//! What the client is put into: a server, a gateway in front of it, and the credentials to use it.
//!
//! Knows no scenario, no judge and no report.

pub mod address;
pub(crate) mod identity;
pub mod server;
