//! Chaos testing for Postgres clients.

pub mod budget;
pub mod client;
pub mod environment;
pub mod fault;
pub mod history;
pub mod load;
pub mod plan;
pub mod scenario;
pub mod seed;
pub mod sqlstate;
pub mod time;
