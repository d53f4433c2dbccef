//! The path between client and server: a gateway on a stable address, and what can happen to connections there.

mod gateway;
pub(crate) mod port;
mod proxy;

pub(crate) use gateway::{Cut, Gateway};
pub(crate) use proxy::Toxics;
