//! Chaos testing for Postgres clients: real Postgres, real faults, one honest verdict.
//!
//! An [`Experiment`] runs one [`scenario`] with one [`Client`]. It starts a real server and a gateway in front of it,
//! drives the client, injects and heals the scenario's faults, and judges the recorded history:
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
//! | judge a stored run again | [`History::read`](model::history::History::read), [`judge::judge`] |
//! | tell whether recovery takes longer than it did | [`statistics`] |
//!
//! A client that fails its scenario is a verdict, never an [`Error`]: errors mean that the run could not take place.
//!
//! # Features
//!
//! `cli` (with it `proxy`), `dns`, `docker` and `tls` are on by default, so that the program is complete; a library
//! author switches them off (`default-features = false`) and has a light dev-dependency.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "cannot build pgsquall: it needs Linux (network namespaces, /proc, timerfd); build it in a Linux container or VM"
);

// ---- plain data
pub mod model;
// ---- pure functions: no I/O, no clock, no async
pub mod judge;
pub mod plan;
pub mod scenario;
pub mod statistics;
// ---- parts of an environment
pub mod credentials;
pub mod environment;
mod gateway;
mod netns;
mod recorder;
mod run_folder;
pub mod server;
// ---- effects
pub mod client;
pub mod conformance;
#[cfg(feature = "tls")]
pub mod doctor;
mod nemesis;
mod run;
#[cfg(feature = "proxy")]
pub mod toxiproxy;
// ---- orchestration and reports
mod error;
mod experiment;
pub mod report;
#[cfg(feature = "simulation")]
mod simnet;
#[cfg(feature = "simulation")]
mod simpg;
#[cfg(feature = "simulation")]
pub mod simulation;

pub use client::Client;
pub use credentials::address::Address;
pub use error::Error;
pub use experiment::{Experiment, Question, RecoveryTimes};
pub use model::history::OpError;
pub use report::Run;
