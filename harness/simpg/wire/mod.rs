//! The wire protocol on the server's side: parses messages of the client and writes those of the server.
//!
//! The codec is written here because the two dozen messages have no suitable crate: `postgres-protocol` has the client's
//! side only; `pgwire` reads past a short body into the next message, panics if there is none, and allocates a string
//! per field.

pub(super) mod backend;
pub(super) mod frontend;
pub(super) mod startup;
pub(super) mod value;
