//! A Postgres server that can be stopped, killed, frozen and queried as superuser.
//!
//! `local`, `docker` and `external` implement the trait `Server`. An operation that a kind of server does not
//! support returns an error that names the operation. Faults use the traits of `control`, which simulated servers
//! implement too.

mod binaries;
pub mod bootstrap;
pub(crate) mod control;
#[cfg(feature = "docker")]
mod docker;
mod external;
pub(crate) mod files;
mod local;
mod log;
mod memory_limit;
mod orphans;
mod process;
mod process_tree;
mod readiness;
mod small_disk;
mod superuser;
mod template;
#[cfg(test)]
mod tests;
mod throttle;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

#[cfg(feature = "tls")]
pub(crate) use self::superuser::APPLICATION_NAME;
#[cfg(feature = "tls")]
pub(crate) use self::superuser::explain;
pub(crate) use self::superuser::{Session, Superuser};
pub use binaries::Binaries;
#[cfg(feature = "docker")]
pub(crate) use docker::{DockerServer, availability as docker_availability, sweep as sweep_containers};
pub(crate) use external::{ExternalServer, check_url, has_password, without_credentials};
pub(crate) use local::{LocalServer, end_leftovers};
pub use log::LogLine;
pub(crate) use log::{LINE_PREFIX, parse_log};
pub(crate) use orphans::end_orphan;
pub(crate) use process::{Daemon, unprivileged};
pub use readiness::Readiness;
pub(crate) use small_disk::can_have_small_disk;

use crate::model::fault::{Share, StopMode};
use crate::model::history::ServerFacts;

/// Longest wait until a started server is ready; crash recovery and a cold disk take longest.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(60);

/// A real server under the harness's control.
///
/// *Errors* of every operation: [`ServerError::Control`] if this kind of server does not support it.
#[async_trait]
pub(crate) trait Server: Send + Sync + 'static {
    fn facts(&self) -> ServerFacts;

    /// Returns the current listening address, which may change with every [`start`](Server::start).
    fn address(&self) -> SocketAddr;

    /// Returns the current connection settings of the superuser; of the URL's user on an external server.
    fn superuser(&self) -> Superuser;

    /// Stops the server, and waits until it has ended.
    async fn stop(&self, mode: StopMode) -> Result<(), ServerError>;

    /// Requests a stop without waiting for it.
    async fn request_stop(&self, _mode: StopMode) -> Result<(), ServerError> {
        Err(unable("stop"))
    }

    /// Waits until the server has ended, for any reason.
    async fn ended(&self, _within: Duration) -> Result<(), ServerError> {
        Err(unable("watch"))
    }

    /// Kills one backend (SIGKILL), as the kernel's OOM killer does.
    async fn kill_backend(&self, _backend: i32) -> Result<(), ServerError> {
        Err(unable("crash"))
    }

    /// Limits the server's memory: a local server to little more than it uses now, a container to a fixed size.
    async fn squeeze_memory(&self) -> Result<Shortage, ServerError> {
        Err(unable("limit the memory of"))
    }

    /// Ends [`squeeze_memory`](Server::squeeze_memory); does nothing without it.
    async fn release_memory(&self) -> Result<(), ServerError> {
        Ok(())
    }

    /// Limits the server to a share of a processor.
    async fn throttle(&self, _share: Share) -> Result<(), ServerError> {
        Err(unable("throttle"))
    }

    /// Ends [`throttle`](Server::throttle); does nothing without it.
    async fn unthrottle(&self) -> Result<(), ServerError> {
        Ok(())
    }

    /// Returns the path of the small disk as the server sees it; `None` without a small disk.
    fn small_disk(&self) -> Option<String> {
        None
    }

    /// Removes a file from the small disk, also while the server is down. Only local servers support this.
    async fn remove_from_small_disk(&self, _file: &str) -> Result<(), ServerError> {
        Err(unable("free the small disk of"))
    }

    /// Kills the server (SIGKILL), like a power cut, and waits until it has ended.
    ///
    /// Returns the exit status as text, for the evidence.
    async fn kill(&self) -> Result<String, ServerError>;

    /// Starts the server again after a stop or a kill; returns before it is ready.
    async fn start(&self) -> Result<(), ServerError>;

    /// Freezes all processes of the server; the kernel still acknowledges bytes.
    async fn pause(&self) -> Result<(), ServerError>;

    /// Resumes the processes that [`pause`](Server::pause) froze.
    async fn resume(&self) -> Result<(), ServerError>;

    /// Kills one backend (SIGKILL), so that the server drops every session and runs crash recovery, and freezes the
    /// recovering process as soon as it appears.
    async fn crash_into_recovery(&self, backend: i32) -> Result<(), ServerError>;

    /// Lets a recovery held by [`crash_into_recovery`](Server::crash_into_recovery) finish. Without one, a local server
    /// returns an error, a container does nothing.
    async fn release_recovery(&self) -> Result<(), ServerError>;

    /// Returns all log lines so far, oldest first.
    async fn log(&self) -> Result<Vec<LogLine>, ServerError>;

    /// Ends the server; a container is removed, an external server loses only its ledger. A local server's files are
    /// removed with the run folder. A second call does nothing.
    async fn remove(&self) -> Result<(), ServerError>;

    /// Waits until the server is as ready as `wanted`.
    ///
    /// *Errors*: [`ServerError::NotReady`] with the last observation, once the deadline has passed; for a local server
    /// also [`ServerError::Control`], as soon as its process ends.
    async fn wait(&self, wanted: Readiness, within: Duration) -> Result<(), ServerError> {
        readiness::wait(|| self.superuser(), wanted, within).await
    }
}

/// How a kind of server reacts to a lack of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Allocations fail with 53200, in new sessions first.
    Fails,
    /// The kernel kills the largest process once the limit is exceeded.
    #[cfg_attr(not(feature = "docker"), expect(dead_code, reason = "only a container's limit kills"))]
    Kills,
}

fn unable(doing: &'static str) -> ServerError {
    ServerError::Control { doing, reason: "this kind of server does not support it".into() }
}

/// A failed operation on a server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(
        "no Postgres server binaries found (looked in {}): install them (Debian: apt-get install postgresql), or name \
         their folder with --server local:/path/to/bin, or use --server docker",
        searched.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoBinaries { searched: Vec<PathBuf> },

    #[error("{}: {reason}", path.display())]
    BadBinaries { path: PathBuf, reason: String },

    #[error(
        "cannot run Postgres as root, and there is no user \"postgres\" or \"nobody\"; create one, or run pgsquall as another user"
    )]
    NoUnprivilegedUser,

    #[error("cannot {doing} {}: {source}", path.display())]
    Folder { doing: &'static str, path: PathBuf, source: io::Error },

    #[error("cannot run {}: {source}", program.display())]
    Launch { program: PathBuf, source: io::Error },

    #[error("{program} failed ({status}): {output}")]
    Program { program: String, status: String, output: String },

    #[error("the server was not {wanted} within {}; last observation: {last}", crate::model::time::show(*within))]
    NotReady { wanted: Readiness, within: Duration, last: String },

    #[error("cannot {doing}: {reason}")]
    Sql { doing: String, reason: String },

    #[error("cannot {doing} the server: {reason}")]
    Control { doing: &'static str, reason: String },

    #[error("cannot {doing}: {reason}; check that Docker runs and that this user may use it (docker info)")]
    Docker { doing: String, reason: String },

    #[error("{0}")]
    BadUrl(String),

    #[error(
        "cannot connect to {server}: {reason}; is a server listening there, and are the URL's user, password and \
         database right?"
    )]
    Unreachable { server: String, reason: String },
}
