//! The client under test: the interfaces it implements, and the kinds of clients.
//!
//! A Rust library implements [`Client`]; any other language speaks the adapter protocol on stdio (`adapter`); an
//! `application` is only watched. The built-in clients (`reference`) show good and bad behaviour; `shipped` adapters
//! wrap popular libraries. A client that is a process can be `supervised`. This module injects no faults and judges no
//! outcome.

mod adapter;
mod application;
mod child;
mod choice;
mod command_line;
pub mod error;
mod in_process;
mod notifications;
pub mod reference;
pub mod shipped;
mod supervised;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::Either;
use tokio::time::timeout;

pub(crate) use crate::client::supervised::Supervised;
pub(crate) use adapter::Adapter;
pub use application::{Application, PORT};
pub use choice::ClientChoice;
pub(crate) use in_process::InProcess;
pub(crate) use notifications::Notice;
pub use notifications::Notifications;

use crate::credentials::address::Address;
use crate::model::history::{self, ClientFacts, Ended, ErrorKind, OpError, OpKind};
use crate::model::plane::Placements;
use crate::model::time::show;
use crate::netns::NetNs;

/// A client under test, written in Rust: usually a thin layer over a pool.
///
/// Several workers call `write`, `read` and `transaction` at once. While the workload runs, the harness drops no call,
/// because the *hung operation* check has to see calls that never return. The exception is a scenario that gives
/// operations a deadline: the future is dropped when the deadline has passed, as an application's `timeout` does. Calls
/// that are still open when the workload ends are dropped a second later.
pub trait Client: Send + Sync + 'static {
    /// Inserts `key` into `pgsquall_ledger (id)`, and returns once the row is durable.
    ///
    /// A client that retries by itself must also fill `idempotency_key`, which is unique, so that no retry can
    /// insert twice.
    fn write(&self, key: i64) -> impl Future<Output = Result<(), OpError>> + Send;

    /// Reads whether `key` is in the ledger.
    fn read(&self, key: i64) -> impl Future<Output = Result<bool, OpError>> + Send;

    /// Runs several statements and a COMMIT; one statement inserts `key`. Default: [`write`](Client::write).
    ///
    /// Called only if the client's [`facts`](Client::facts) name the capability `transaction`.
    fn transaction(&self, key: i64) -> impl Future<Output = Result<(), OpError>> + Send {
        self.write(key)
    }

    /// Listens on the channel `pgsquall_news`, and passes on every notification, for as long as the run lasts.
    ///
    /// Called once, and only if the client's [`facts`](Client::facts) name the capability `listen`. A client that
    /// loses the subscription must subscribe again, and report it with [`Notifications::gap`]. Returning gives the
    /// subscription up for good; when the run ends, the future is dropped.
    fn listen(&self, news: Notifications) -> impl Future<Output = Result<(), OpError>> + Send {
        let _ = news;
        async { Err(OpError::new(ErrorKind::Other, "this client cannot listen")) }
    }

    /// The client's name, version, limits and capabilities. Default: four operations at once and no capability. The
    /// harness adds the capability `deadline`, because it can drop every call. A scenario may start more operations
    /// than `concurrency`, to test the waiters of a pool.
    fn facts(&self) -> ClientFacts {
        ClientFacts {
            name: "in-process".into(),
            version: String::new(),
            concurrency: 4,
            capabilities: Vec::new(),
            timeout: None,
        }
    }

    /// Closes the connections; called once, after the last operation.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// One operation to be performed by a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Unique in the run.
    pub id: u64,
    pub kind: OpKind,
    pub key: i64,
    /// The time after which the application cancels the call, by the means of its library; `None`: never.
    pub deadline: Option<Duration>,
}

impl Call {
    /// Runs `work`, and drops it when the deadline has passed.
    pub fn or_cancel<T>(
        &self,
        work: impl Future<Output = Result<T, OpError>>,
    ) -> impl Future<Output = Result<T, OpError>> {
        // Not an async function, which would hold the large future `work` twice.
        match self.deadline {
            None => Either::Left(work),
            Some(deadline) => {
                Either::Right(timeout(deadline, work).map(|done| done.unwrap_or_else(|_| Err(self.cancelled()))))
            }
        }
    }

    /// The error of a call that its deadline ended.
    fn cancelled(&self) -> OpError {
        let after = self.deadline.map(show).unwrap_or_default();
        OpError::new(ErrorKind::Deadline, format!("cancelled by the application's deadline of {after}"))
    }
}

/// A client of any kind, as the workload drives it.
#[async_trait]
pub(crate) trait DynClient: Send + Sync + 'static {
    fn facts(&self) -> ClientFacts;

    /// Performs one operation; a read returns whether the key exists.
    async fn perform(&self, call: Call) -> Result<Option<bool>, OpError>;

    /// Listens for as long as the run lasts; returns when the subscription has ended for good.
    async fn listen(&self, news: Notifications) -> Result<(), OpError>;

    /// How the client ended by itself; `None` while it runs, or if the harness ended it.
    fn ended(&self) -> Option<Ended>;

    /// Ends the client, by force if it does not exit within a moment.
    async fn close(&self);

    /// Pauses (`idle`) or resumes the load of an application; other clients ignore it.
    fn pause(&self, idle: bool) {
        let _ = idle;
    }

    /// Why an application is not ready to be watched yet; `None`: it is ready, or it is no application.
    fn unready(&self) -> Option<String> {
        None
    }

    /// How an adapter's process ended, even if the harness closed it; `None` while it runs, and for other clients.
    fn exit_status(&self) -> Option<Ended> {
        None
    }
}

/// Launches clients of one kind.
#[async_trait]
pub(crate) trait ClientFactory: Send + Sync + 'static {
    /// The client's name as `--client` takes it.
    fn name(&self) -> String;

    /// Whether the client can run in this process, as a process of its own, or both.
    fn placements(&self) -> Placements;

    /// Builds what all clients of this factory need, once; this may take minutes.
    async fn prepare(&self) -> Result<(), ClientError> {
        Ok(())
    }

    /// The commands and capabilities of an application; `None` for other clients.
    fn application(&self) -> Option<history::Application> {
        None
    }

    /// Launches a client that connects to `address`.
    async fn launch(&self, address: &Address, context: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError>;
}

/// Where a client runs on this machine. It can be kept, to launch a client there again.
#[derive(Clone)]
pub(crate) struct LaunchContext {
    /// The run's folder; its path marks the client's processes.
    pub run: Arc<Path>,
    /// The folder for the client's output.
    pub output: Arc<Path>,
    /// The network namespace of the client's process; `None`: that of this process.
    pub space: Option<Arc<NetNs>>,
    /// Whether a client that can run either way may run in this process.
    pub in_process: bool,
}

/// Why a client could not be launched.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot find client {name:?}: it is neither built in ({}), nor a shipped adapter (pgsquall init lists them), nor a \
             program that can be run: {reason}", known.join(", "))]
    Unknown { name: String, known: Vec<&'static str>, reason: String },

    #[error("client {command:?} sent no hello within {}: its first line on stdout must be \
             {{\"hello\":{{\"name\":…,\"version\":…,\"concurrency\":…}}}}{}", crate::model::time::show(*within), tail(stderr))]
    NoHello { command: String, within: Duration, stderr: String },

    #[error(
        "client {command:?} exited before its hello ({status}); run it by hand with DATABASE_URL set{}",
        tail(stderr)
    )]
    EndedEarly { command: String, status: String, stderr: String },

    #[error("client {command:?}: {reason}{}", tail(stderr))]
    BadHello { command: String, reason: String, stderr: String },

    #[error("adapter {name} has no profile {profile:?}; its profiles are {words}")]
    NoProfile { name: String, profile: String, words: String },

    #[error("{source}\n  adapter {name} needs: {install} (pgsquall init {name} writes its files to a folder)")]
    Shipped { name: &'static str, install: String, source: Box<ClientError> },

    #[error("cannot build the adapter: {command}: {reason}")]
    Build { command: String, reason: String },

    #[error("cannot set up the client: {0}")]
    SetUp(String),

    #[error("{option} {command:?}: {reason}")]
    Command { option: &'static str, command: String, reason: String },

    #[error("unknown capability {word:?}; an application can have {}", known.join(", "))]
    NoCapability { word: String, known: Vec<&'static str> },

    #[error("cannot write {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
}

fn tail(stderr: &str) -> String {
    match stderr.trim() {
        "" => String::new(),
        text => format!("\n  its stderr ends with: {text}"),
    }
}
