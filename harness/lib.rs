//! Chaos testing for Postgres clients: real Postgres, real faults, one honest verdict.
//!
//! An [`Experiment`] asks one question, a [`scenario`], of one [`Client`]. It brings up a real server and a gateway in
//! front of it, drives the client, injects the scenario's faults and heals them, and judges what was recorded:
//!
//! ```
//! use pgsquall::Experiment;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let run = Experiment::scenario("connection-reset")?.client_named("reference")?.run().await?;
//! run.assert_pass();
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//!
//! | to | look at |
//! |---|---|
//! | test a client of your own | [`Client`], [`Experiment::client`] |
//! | ask something else | [`scenario`]: TOML files, and the built-in [`catalogue`](scenario::catalogue) |
//! | inject faults by hand, or from Toxiproxy's client libraries | [`toxiproxy`](toxiproxy::Service), feature `proxy` |
//! | have a live server examined | [`doctor`](doctor::examine), feature `tls` |
//! | see whether an adapter speaks its protocol right | [`conformance`](conformance::check) |
//! | choose the server | [`ServerChoice`](environment::choice::ServerChoice) |
//! | measure recovery in benchmarks of your own | [`RecoveryTimes`] |
//! | tell, merge and compare whole runs | [`report`], [`statistics`] |
//! | read a result | [`Run`], [`judge::Verdict`] |
//! | judge a stored run again | [`History::read`](history::History::read), [`judge::judge`] |
//! | tell whether recovery takes longer than it did | [`statistics`] |
//!
//! A client that fails its scenario is a verdict, never an [`Error`]: errors mean that the question could not be asked.
//!
//! # Features
//!
//! `cli` (with it `proxy`), `dns`, `docker` and `tls` are on by default, so that the program is complete; a library
//! author switches them off (`default-features = false`) and has a light dev-dependency.

// ---- vocabulary: plain data; no I/O, no clock, no async
pub mod budget;
pub mod fault;
pub mod history;
pub mod layout;
pub mod load;
pub mod middlebox;
pub mod plane;
pub mod seed;
pub mod sqlstate;
pub mod time;
// ---- pure functions
pub mod judge;
pub mod plan;
pub mod scenario;
pub mod statistics;
// ---- effects
mod audit;
pub mod client;
pub mod conformance;
#[cfg(feature = "tls")]
pub mod doctor;
pub mod environment;
mod machine;
mod nemesis;
mod observation;
mod recorder;
mod subscription;
#[cfg(feature = "proxy")]
pub mod toxiproxy;
mod workload;
// ---- orchestration and telling
mod error;
mod experiment;
pub mod report;
#[cfg(feature = "simulation")]
pub mod simulation;

pub use client::Client;
pub use environment::address::Address;
pub use error::Error;
pub use experiment::{Experiment, Question, RecoveryTimes};
pub use history::OpError;
pub use report::Run;
