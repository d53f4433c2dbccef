//! [`Error`]: why a run could not be carried out. A client that fails its scenario is not an error but a verdict.

use std::io;
use std::path::PathBuf;

use crate::client::ClientError;
use crate::environment::EnvironmentError;
use crate::nemesis::NemesisError;
use crate::scenario::ScenarioError;

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The fault cannot truly be produced here; callers skip the scenario with this reason.
    #[error("cannot run {scenario} here: {reason}")]
    NotExpressible { scenario: String, reason: String },
    #[error("cannot prepare a fault: {0}")]
    Nemesis(#[source] NemesisError),
    #[error("cannot run without a client: call client(…) or client_named(…) before run()")]
    NoClient,
    /// A simulated network or server could not be created.
    #[error("cannot simulate: {0}")]
    Simulation(#[source] io::Error),
    /// The asynchronous runtime could not be started.
    #[error("cannot start a runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("cannot write {}: {source}", path.display())]
    Store { path: PathBuf, source: io::Error },
}

impl From<crate::server::ServerError> for Error {
    fn from(error: crate::server::ServerError) -> Error {
        Error::Environment(error.into())
    }
}
