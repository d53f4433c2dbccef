//! A Postgres server that can be stopped, killed, frozen and asked as superuser.
//!
//! The trait `Server` is one server; `local`, `docker` and `external` are the kinds of it. A server says what
//! it can do; what it cannot do is an error that names it, never a silent success. The verbs of the nemesis, which simulated
//! servers have too, are in `control`.

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

/// Longest wait for a new server: crash recovery and a cold disk included.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(60);

/// A server under the harness's control.
#[async_trait]
pub(crate) trait Server: Send + Sync + 'static {
    fn facts(&self) -> ServerFacts;

    /// Where it listens now; may change with every [`start`](Server::start).
    fn address(&self) -> SocketAddr;

    /// How to reach it as superuser, now.
    fn superuser(&self) -> Superuser;

    /// Asks it to stop, and waits until it has.
    async fn stop(&self, mode: StopMode) -> Result<(), ServerError>;

    /// Asks it to stop, and does not wait.
    async fn request_stop(&self, _mode: StopMode) -> Result<(), ServerError> {
        Err(unable("stop"))
    }

    /// Waits until it has ended, by whatever cause.
    async fn ended(&self, _within: Duration) -> Result<(), ServerError> {
        Err(unable("watch"))
    }

    /// Kills one backend (SIGKILL), as the kernel does when memory is short.
    async fn kill_backend(&self, _backend: i32) -> Result<(), ServerError> {
        Err(unable("crash"))
    }

    /// Leaves it little more memory than it has now.
    async fn squeeze_memory(&self) -> Result<Shortage, ServerError> {
        Err(unable("limit the memory of"))
    }

    /// Ends what [`squeeze_memory`](Server::squeeze_memory) began; does nothing where nothing was begun.
    async fn release_memory(&self) -> Result<(), ServerError> {
        Ok(())
    }

    /// Leaves it only a share of a processor.
    async fn throttle(&self, _share: Share) -> Result<(), ServerError> {
        Err(unable("throttle"))
    }

    /// Ends what [`throttle`](Server::throttle) began; does nothing where nothing was begun.
    async fn unthrottle(&self) -> Result<(), ServerError> {
        Ok(())
    }

    /// Where its small disk is, as the server itself sees it; `None` where it has none.
    fn small_disk(&self) -> Option<String> {
        None
    }

    /// Removes a file from the small disk; works also while the server is down.
    async fn remove_from_small_disk(&self, _file: &str) -> Result<(), ServerError> {
        Err(unable("free the small disk of"))
    }

    /// Kills it as a power cut would (SIGKILL), and waits until it is gone.
    ///
    /// Returns how its end was seen, in words.
    async fn kill(&self) -> Result<String, ServerError>;

    /// Launches it again after a stop or a kill; returns before it is ready.
    async fn start(&self) -> Result<(), ServerError>;

    /// Freezes every process of it; its kernel goes on acknowledging bytes.
    async fn pause(&self) -> Result<(), ServerError>;

    /// Thaws what [`pause`](Server::pause) froze.
    async fn resume(&self) -> Result<(), ServerError>;

    /// Kills one backend (SIGKILL), which makes the server drop every session and run crash recovery, and freezes the
    /// recovering process as soon as it appears.
    async fn crash_into_recovery(&self, backend: i32) -> Result<(), ServerError>;

    /// Lets a recovery held by [`crash_into_recovery`](Server::crash_into_recovery) finish.
    async fn release_recovery(&self) -> Result<(), ServerError>;

    /// Everything it has logged so far, oldest first.
    async fn log(&self) -> Result<Vec<LogLine>, ServerError>;

    /// Ends it and removes all that belongs to it. A second call does nothing.
    async fn remove(&self) -> Result<(), ServerError>;

    /// Waits until it is as ready as asked.
    ///
    /// *Errors*: [`ServerError::NotReady`] with the last observation, once the deadline has passed.
    async fn wait(&self, wanted: Readiness, within: Duration) -> Result<(), ServerError> {
        readiness::wait(|| self.superuser(), wanted, within).await
    }
}

/// What a lack of memory does to a server of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Allocations fail: who asks for memory gets 53200, new sessions first.
    Fails,
    /// The kernel kills whoever has most, once more is asked for than there is.
    #[cfg_attr(not(feature = "docker"), expect(dead_code, reason = "only a container's limit kills"))]
    Kills,
}

fn unable(doing: &'static str) -> ServerError {
    ServerError::Control { doing, reason: "a server of this kind cannot be told to".into() }
}

/// What went wrong with a server, by what the harness was doing.
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

    #[error("running as root, and Postgres refuses that: no user \"postgres\" or \"nobody\" to run it as")]
    NoUnprivilegedUser,

    #[error("cannot {doing} {}: {source}", path.display())]
    Folder { doing: &'static str, path: PathBuf, source: io::Error },

    #[error("cannot run {}: {source}", program.display())]
    ClientFactory { program: PathBuf, source: io::Error },

    #[error("{program} failed ({status}): {output}")]
    Program { program: String, status: String, output: String },

    #[error("the server was not {wanted} within {}; last seen: {last}", crate::model::time::show(*within))]
    NotReady { wanted: Readiness, within: Duration, last: String },

    #[error("cannot {doing}: {reason}")]
    Sql { doing: String, reason: String },

    #[error("cannot {doing} the server: {reason}")]
    Control { doing: &'static str, reason: String },

    #[error("cannot {doing}: {reason}; is Docker installed and running (docker info), and may this user use it?")]
    Docker { doing: String, reason: String },

    #[error("{0}")]
    BadUrl(String),

    #[error(
        "cannot connect to {server}: {reason}; is a server listening there, and are the URL's user, password and \
         database right?"
    )]
    Unreachable { server: String, reason: String },
}
