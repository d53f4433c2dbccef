//! The verbs of the nemesis: what is done to one server, and what is read off it.
//!
//! Each fault is written once over these traits. Two kinds of servers implement them: [`RealServer`] by signals and SQL,
//! and the server of a simulation by its own state. A verb returns once its effect can be seen by a client. Which verbs
//! make up a fault, and what the fault counts as evidence, is up to the nemesis.

mod address_range;
mod hba;
mod real;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;

pub(crate) use self::address_range::AddressRange;
pub(crate) use self::real::RealServer;
pub(crate) use self::real::replication::follow;
#[cfg(feature = "tls")]
pub(crate) use self::real::tls::TlsSetup;
use super::{LogLine, Readiness, ServerError, Shortage, Superuser};
#[cfg(feature = "tls")]
use crate::credentials::certificate::Certificate;
use crate::model::fault::{Share, StopMode};
use crate::model::history::{ServerFacts, Sessions};
use crate::model::topology::SmallDisk;

/// Keys of a ledger, as runs `(first key, last key, copies)`, ascending.
pub(crate) type Ledger = Vec<(i64, i64, u64)>;

/// Everything that the harness does to one server.
pub(crate) trait ServerControl:
    ProcessControl + CrashControl + SessionControl + SignInControl + ResourceControl + ReplicationControl + ServerRecord
{
}

impl<T> ServerControl for T where
    T: ProcessControl
        + CrashControl
        + SessionControl
        + SignInControl
        + ResourceControl
        + ReplicationControl
        + ServerRecord
{
}

/// The server's process: started, stopped, killed, frozen.
#[async_trait]
pub(crate) trait ProcessControl: Send + Sync {
    fn facts(&self) -> ServerFacts;

    /// Where it listens now; may change with every [`start`](ProcessControl::start).
    fn address(&self) -> SocketAddr;

    /// How to reach it as superuser, now.
    ///
    /// *Errors*: it is simulated, and no real connection leads there.
    fn superuser(&self) -> Result<Superuser, ServerError>;

    /// Launches it again after a stop or a kill; returns before it is ready.
    async fn start(&self) -> Result<(), ServerError>;

    /// Waits until it is as ready as wanted.
    async fn wait(&self, wanted: Readiness) -> Result<(), ServerError>;

    /// Requests a stop, and waits until it has ended.
    async fn stop(&self, mode: StopMode) -> Result<(), ServerError>;

    /// Requests a stop, and does not wait.
    async fn request_stop(&self, mode: StopMode) -> Result<(), ServerError>;

    /// Waits until it has ended, by any cause.
    async fn ended(&self, within: Duration) -> Result<(), ServerError>;

    /// Kills it as a power cut would (SIGKILL), and waits until it is gone; returns its exit status in words.
    async fn kill(&self) -> Result<String, ServerError>;

    /// Freezes every process of it; its kernel goes on acknowledging bytes.
    async fn freeze(&self) -> Result<(), ServerError>;

    /// Thaws what [`freeze`](ProcessControl::freeze) froze.
    async fn thaw(&self) -> Result<(), ServerError>;

    /// Ends it and removes all that belongs to it. A second call does nothing.
    async fn remove(&self) -> Result<(), ServerError>;
}

/// A backend dies of a signal, and takes every session with it.
#[async_trait]
pub(crate) trait CrashControl: Send + Sync {
    /// Kills (SIGKILL) the longest-standing session of the client's role; recovery follows at once. `false`: the role
    /// has no session, and nothing is done.
    async fn crash_backend(&self) -> Result<bool, ServerError>;

    /// Begins a large transaction, whose recovery will take long.
    async fn begin_large_transaction(&self) -> Result<(), ServerError>;

    /// Kills the backend of the large transaction; recovery begins, and is held until
    /// [`release_recovery`](CrashControl::release_recovery).
    async fn crash_into_recovery(&self) -> Result<(), ServerError>;

    /// Lets a held recovery finish.
    async fn release_recovery(&self) -> Result<(), ServerError>;
}

/// Sessions of the client's role, and the connection slots that they need.
#[async_trait]
pub(crate) trait SessionControl: Send + Sync {
    /// Sessions of the client's role. One in a transaction with nothing running counts as such once that has lasted
    /// for `idle`.
    async fn sessions(&self, idle: Duration) -> Result<Sessions, ServerError>;

    /// `pg_terminate_backend` on every session of the client's role; returns how many were terminated.
    async fn terminate_sessions(&self) -> Result<usize, ServerError>;

    /// Terminates the client's sessions again and again, until there is none; returns how many were terminated.
    async fn clear_sessions(&self) -> Result<usize, ServerError>;

    /// Terminates the client's sessions while others take every slot of ordinary roles, and perhaps those that are
    /// reserved for superusers too; returns how many were terminated.
    async fn take_slots(&self, reserved_too: bool) -> Result<usize, ServerError>;

    /// Has others take every slot of ordinary roles as soon as a server that starts lets them in; returns how many.
    async fn rush_slots(&self) -> Result<usize, ServerError>;

    /// One of those others leaves.
    fn leave_slot(&self);

    /// Has all of them leave; returns once their slots are free.
    async fn give_back_slots(&self) -> Result<(), ServerError>;

    /// How many sessions the client's role may have; `None`: as many as the server takes.
    async fn limit_role(&self, sessions: Option<u32>) -> Result<(), ServerError>;

    /// A session of the harness's own, by which round trips are timed.
    async fn probe(&self) -> Result<Box<dyn Probe>, ServerError>;
}

/// Round trips of the harness's own.
#[async_trait]
pub(crate) trait Probe: Send + Sync {
    /// How long one took.
    async fn round_trip(&self) -> Result<Duration, ServerError>;
}

/// Reasons for which the server turns down a sign-in of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// The role does not exist.
    Role,
    /// The database does not exist.
    Database,
    /// The role has NOLOGIN.
    Login,
    /// The role has no CONNECT privilege.
    Connect,
}

/// Connections that `pg_hba.conf` admits besides those of the harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Those that it admitted before the first change.
    AsBefore,
    /// Those from these addresses.
    From(AddressRange),
    /// None.
    Nobody,
    /// The client's over TLS alone, and perhaps with a certificate of its own.
    TlsOnly { certificate: bool },
}

/// The client's role, its password, and who is admitted.
#[async_trait]
pub(crate) trait SignInControl: Send + Sync {
    /// Changes the password of the client's role. Sessions stay.
    async fn set_password(&self, password: &str) -> Result<(), ServerError>;

    /// Signs in with a password.
    ///
    /// *Errors*: the server does not accept it.
    async fn check_password(&self, password: &str) -> Result<(), ServerError>;

    /// Denies the client its sign-in, and ends its sessions afterwards, so that none comes back; returns how many.
    async fn deny(&self, denial: Denial) -> Result<usize, ServerError>;

    /// Undoes a denial, also where only a part of it was done.
    async fn permit(&self, denial: Denial) -> Result<(), ServerError>;

    /// The value with which sessions of the client's role begin (`ALTER ROLE … SET`); `None`: the server's own.
    async fn set_for_role(&self, setting: &str, value: Option<&str>) -> Result<(), ServerError>;

    /// The client's address, as the server sees it.
    async fn client_address(&self) -> Result<Ipv4Addr, ServerError>;

    /// Changes which connections `pg_hba.conf` admits; returns once that is in force. Sessions stay.
    async fn admit(&self, admission: Admission) -> Result<(), ServerError>;

    /// Shows another certificate from now on; returns once it is in force. Sessions stay.
    #[cfg(feature = "tls")]
    async fn serve_certificate(&self, certificate: &Certificate) -> Result<(), ServerError>;

    /// Replaces the list of revoked certificates, in PEM; returns once it is in force.
    #[cfg(feature = "tls")]
    async fn revoke_certificates(&self, list: &str) -> Result<(), ServerError>;
}

/// Memory, disk and processor of the server, and the lock on the ledger.
#[async_trait]
pub(crate) trait ResourceControl: Send + Sync {
    /// Leaves it little more memory than it has now.
    async fn squeeze_memory(&self) -> Result<Shortage, ServerError>;

    /// Has a query allocate more than is left.
    async fn exceed_memory(&self) -> Result<(), ServerError>;

    /// Gives back what [`squeeze_memory`](ResourceControl::squeeze_memory) took.
    async fn release_memory(&self) -> Result<(), ServerError>;

    /// Fills the small disk. Where that is the disk of the write-ahead log, returns once the server has ended for it.
    async fn fill_disk(&self, disk: SmallDisk) -> Result<(), ServerError>;

    /// Makes room on it again; works also while the server is down.
    async fn free_disk(&self, disk: SmallDisk) -> Result<(), ServerError>;

    /// Leaves it only a share of a processor, most of which another session's query takes.
    async fn throttle(&self, share: Share) -> Result<(), ServerError>;

    /// Ends what [`throttle`](ResourceControl::throttle) began; returns once the server runs queries as before.
    async fn unthrottle(&self) -> Result<(), ServerError>;

    /// Locks the ledger, so that statements which read or write it wait.
    async fn lock_ledger(&self) -> Result<(), ServerError>;

    /// Gives the lock back; does nothing where there is none.
    async fn unlock_ledger(&self) -> Result<(), ServerError>;
}

/// A primary and its standby.
#[async_trait]
pub(crate) trait ReplicationControl: Send + Sync {
    /// Promotes a standby; returns once it takes writes.
    async fn promote(&self) -> Result<(), ServerError>;

    /// Makes a primary read-only for every session; returns once no session can write any more.
    async fn demote(&self) -> Result<(), ServerError>;

    /// Makes a server that was the primary read-only, and ends the client's sessions; returns how many of them waited
    /// for a standby that is gone.
    async fn fence(&self) -> Result<usize, ServerError>;

    /// Ends the sessions that wait for a standby that is gone; returns how many. They are never acknowledged.
    async fn end_unconfirmed(&self) -> Result<usize, ServerError>;
}

/// The ledger and the log of the server; and notifications, which only a server can send.
#[async_trait]
pub(crate) trait ServerRecord: Send + Sync {
    /// Everything it has logged so far, oldest first.
    async fn log(&self) -> Result<Vec<LogLine>, ServerError>;

    /// Everything in the ledger.
    async fn ledger(&self) -> Result<Ledger, ServerError>;

    /// Sends a numbered notification to the sessions that listen.
    async fn notify(&self, number: u64) -> Result<(), ServerError>;
}
