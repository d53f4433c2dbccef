//! Why a run could not be carried out. A client that fails its scenario is never an error: that is a verdict.

use std::io;
use std::path::PathBuf;

use crate::client::ClientError;
use crate::environment::EnvironmentError;
use crate::nemesis::NemesisError;
use crate::scenario::ScenarioError;

/// What kept the harness from asking its question.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The fault cannot truly be produced here; the scenario is to be skipped with this reason.
    #[error("{scenario} cannot be asked here: {reason}")]
    NotExpressible { scenario: String, reason: String },
    #[error("a fault could not be prepared: {0}")]
    Nemesis(#[source] NemesisError),
    #[error("no client was named: call client(…) or client_named(…) before run()")]
    NoClient,
    /// A simulated network or server could not be made.
    #[error("the simulation: {0}")]
    Simulation(#[source] io::Error),
    /// The system gave no runtime to ask in.
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
