//! Chaos testing for Postgres clients.

pub mod budget;
pub mod client;
pub mod environment;
pub mod fault;
pub mod history;
pub mod judge;
pub mod load;
mod nemesis;
mod recorder;
pub mod seed;
pub mod sqlstate;
pub mod time;
