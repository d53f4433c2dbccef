//! Chaos testing for Postgres clients: real Postgres, real faults, one honest verdict.

// ---- vocabulary: plain data; no I/O, no clock, no async
pub mod budget;
pub mod fault;
pub mod history;
pub mod load;
pub mod seed;
pub mod sqlstate;
pub mod time;
// ---- pure functions
pub mod judge;
pub mod plan;
pub mod scenario;
// ---- effects
mod audit;
pub mod client;
pub mod environment;
mod nemesis;
mod recorder;
mod workload;
// ---- orchestration and telling
mod error;
mod experiment;
pub mod report;

pub use client::Client;
pub use environment::address::Address;
pub use error::Error;
pub use experiment::Experiment;
pub use history::OpError;
pub use report::Run;
