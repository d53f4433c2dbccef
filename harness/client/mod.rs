//! The client under test: what it must be able to do, and the kinds of it.
//!
//! A Rust library implements [`Client`]; any other language speaks the adapter protocol on stdio (`adapter`); the
//! built-in ones (`reference`) show what good and bad clients do. Whichever is a process can be `supervised`.

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
use crate::environment::support::Placements;
use crate::model::history::{self, ClientFacts, Ended, ErrorKind, OpError, OpKind};
use crate::model::time::show;
use crate::netns::NetNs;

/// A client under test, written in Rust: usually a thin layer over a pool.
///
/// Every method may be called by several workers at once. None is cancelled by the harness, for a call that never returns
/// is what the *hung operation* check is for; but where a scenario gives operations a deadline, the future is dropped when
/// it has passed, as an application's `timeout` does.
pub trait Client: Send + Sync + 'static {
    /// Inserts `key` into `pgsquall_ledger (id)`, and returns once it is there for good.
    ///
    /// A client that retries by itself must also fill `idempotency_key`, which is unique, so that no retry can
    /// insert twice.
    fn write(&self, key: i64) -> impl Future<Output = Result<(), OpError>> + Send;

    /// Reads whether `key` is in the ledger.
    fn read(&self, key: i64) -> impl Future<Output = Result<bool, OpError>> + Send;

    /// Several statements and a COMMIT, one of which inserts `key`.
    ///
    /// Asked only of a client whose [`facts`](Client::facts) name the capability `transaction`.
    fn transaction(&self, key: i64) -> impl Future<Output = Result<(), OpError>> + Send {
        self.write(key)
    }

    /// Listens on the channel `pgsquall_news`, and hands on every notification, for as long as the run lasts.
    ///
    /// Called once, and only of a client whose [`facts`](Client::facts) name the capability `listen`. Whoever loses the
    /// subscription is to subscribe again, and to say so with [`Notifications::gap`]. To return is to give it up for
    /// good; when the run ends, the future is dropped.
    fn listen(&self, news: Notifications) -> impl Future<Output = Result<(), OpError>> + Send {
        let _ = news;
        async { Err(OpError::new(ErrorKind::Other, "this client cannot listen")) }
    }

    /// What the client says of itself; the default has no name, four operations at once and no capability. A scenario
    /// may ask it more at once, to see what becomes of those that wait for a connection.
    fn facts(&self) -> ClientFacts {
        ClientFacts {
            name: "in-process".into(),
            version: String::new(),
            concurrency: 4,
            capabilities: Vec::new(),
            timeout: None,
        }
    }

    /// Gives its connections back; called once, after the last operation.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// One operation, as it is asked of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Unique in the run.
    pub id: u64,
    pub kind: OpKind,
    pub key: i64,
    /// After which the application cancels it, by whatever means the client offers; `None`: it waits.
    pub deadline: Option<Duration>,
}

impl Call {
    /// Carries it out, and drops what is under way when the deadline has passed.
    pub fn or_cancel<T>(
        &self,
        work: impl Future<Output = Result<T, OpError>>,
    ) -> impl Future<Output = Result<T, OpError>> {
        // No async function: it would hold the work twice, and it is large.
        match self.deadline {
            None => Either::Left(work),
            Some(deadline) => {
                Either::Right(timeout(deadline, work).map(|done| done.unwrap_or_else(|_| Err(self.cancelled()))))
            }
        }
    }

    /// What the application is told of a call that its deadline ended.
    fn cancelled(&self) -> OpError {
        let after = self.deadline.map(show).unwrap_or_default();
        OpError::new(ErrorKind::Deadline, format!("cancelled by the application's deadline of {after}"))
    }
}

/// A client of any kind, as the workload drives it.
#[async_trait]
pub(crate) trait DynClient: Send + Sync + 'static {
    fn facts(&self) -> ClientFacts;

    /// Carries out one operation; for a read, says whether the key was found.
    async fn perform(&self, call: Call) -> Result<Option<bool>, OpError>;

    /// Listens for as long as the run lasts; ends where the subscription does, for good.
    async fn listen(&self, news: Notifications) -> Result<(), OpError>;

    /// How it went away, if it did though nobody asked it to.
    fn ended(&self) -> Option<Ended>;

    /// Ends it, by force if it does not leave within a moment.
    async fn close(&self);

    /// Makes it idle for a while, or busy again, where it works by itself and something outside of it gives it work.
    fn pause(&self, idle: bool) {
        let _ = idle;
    }

    /// Why it is not ready to be watched yet, where it works by itself; `None`: it is.
    fn unready(&self) -> Option<String> {
        None
    }

    /// How its process went away once it was closed; `None` where it has none of its own, or that is still there.
    fn exit_status(&self) -> Option<Ended> {
        None
    }
}

/// How a client of one kind is brought up.
#[async_trait]
pub(crate) trait ClientFactory: Send + Sync + 'static {
    /// As `--client` takes it.
    fn name(&self) -> String;

    /// Where it can live.
    fn abodes(&self) -> Placements;

    /// Makes ready what all its clients need, once; for what has to be built, that may take minutes.
    async fn prepare(&self) -> Result<(), ClientError> {
        Ok(())
    }

    /// What there is of an application that is only watched; `None` where it is one that does what it is asked.
    fn application(&self) -> Option<history::Application> {
        None
    }

    /// Brings one up against `address`.
    async fn launch(&self, address: &Address, home: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError>;
}

/// Where a client lives on this machine. It can be kept, so that a client can be launched there again.
#[derive(Clone)]
pub(crate) struct LaunchContext {
    /// The run's folder, by which its processes are marked.
    pub run: Arc<Path>,
    /// Where its output is kept.
    pub output: Arc<Path>,
    /// The namespace in which its process is to be; `None`: that of this process.
    pub space: Option<Arc<NetNs>>,
    /// Whether it may be in this process, where it can be either.
    pub in_process: bool,
}

/// Why a client could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no client {name:?}: it is neither built in ({}), nor an adapter that is shipped (pgsquall init lists them), nor a program \
             that can be run: {reason}", known.join(", "))]
    Unknown { name: String, known: Vec<&'static str>, reason: String },

    #[error("client {command:?} said no hello within {}: its first line on stdout must be \
             {{\"hello\":{{\"name\":…,\"version\":…,\"concurrency\":…}}}}{}", crate::model::time::show(*within), tail(stderr))]
    NoHello { command: String, within: Duration, stderr: String },

    #[error("client {command:?} ended before its hello ({status}){}", tail(stderr))]
    EndedEarly { command: String, status: String, stderr: String },

    #[error("client {command:?}: {reason}{}", tail(stderr))]
    BadHello { command: String, reason: String, stderr: String },

    #[error("the adapter {name} has no profile {profile:?}: there are {words}")]
    NoProfile { name: String, profile: String, words: String },

    #[error("{source}\n  the adapter {name} needs: {install} (pgsquall init {name} writes it out)")]
    Shipped { name: &'static str, install: String, source: Box<ClientError> },

    #[error("cannot build: {command}: {reason}")]
    Build { command: String, reason: String },

    #[error("the client could not be set up: {0}")]
    SetUp(String),

    #[error("{option} {command:?}: {reason}")]
    Command { option: &'static str, command: String, reason: String },

    #[error("no capability {word:?}: an application can have {}", known.join(", "))]
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
