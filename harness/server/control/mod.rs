//! What the harness can do to one server and read from it: the traits over which the nemesis writes each fault once.
//!
//! [`RealServer`] implements them by signals and SQL, the server of a simulation by changing its own state. A method
//! returns once a client can see its effect, unless its doc says otherwise. The nemesis decides which methods make up a
//! fault, and what counts as its evidence.
//!
//! *Errors* of every method: the server refuses the operation, or its effect cannot be seen in time.

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

/// The rows of a ledger as ascending runs `(first key, last key, copies)`: each key of a run has `copies` rows.
pub(crate) type Ledger = Vec<(i64, i64, u64)>;

/// All operations of the harness on one server.
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

/// Starts, stops, kills and freezes the server's processes.
#[async_trait]
pub(crate) trait ProcessControl: Send + Sync {
    fn facts(&self) -> ServerFacts;

    /// Returns the current listening address, which may change with every [`start`](ProcessControl::start).
    fn address(&self) -> SocketAddr;

    /// Returns the current connection settings of the superuser.
    ///
    /// *Errors*: the server is simulated, and accepts no real connection.
    fn superuser(&self) -> Result<Superuser, ServerError>;

    /// Starts the server again after a stop or a kill; returns before it is ready.
    async fn start(&self) -> Result<(), ServerError>;

    /// Waits until the server is as ready as `wanted`.
    async fn wait(&self, wanted: Readiness) -> Result<(), ServerError>;

    /// Requests a stop, and waits until the server has ended.
    async fn stop(&self, mode: StopMode) -> Result<(), ServerError>;

    /// Requests a stop without waiting for it.
    async fn request_stop(&self, mode: StopMode) -> Result<(), ServerError>;

    /// Waits until the server has ended, for any reason.
    async fn ended(&self, within: Duration) -> Result<(), ServerError>;

    /// Kills the server (SIGKILL), like a power cut, and waits until it has ended; returns its exit status as text.
    async fn kill(&self) -> Result<String, ServerError>;

    /// Freezes all processes of the server; the kernel still acknowledges bytes.
    async fn freeze(&self) -> Result<(), ServerError>;

    /// Resumes the processes that [`freeze`](ProcessControl::freeze) froze.
    async fn thaw(&self) -> Result<(), ServerError>;

    /// Ends the server and removes what the harness created for it. A second call does nothing.
    async fn remove(&self) -> Result<(), ServerError>;
}

/// Crashes: a backend dies of SIGKILL, so that the postmaster ends all sessions and runs crash recovery.
#[async_trait]
pub(crate) trait CrashControl: Send + Sync {
    /// Kills the backend of the client's oldest session; recovery follows at once. Returns `false`, and does nothing,
    /// if the client has no session.
    async fn crash_backend(&self) -> Result<bool, ServerError>;

    /// Begins a large transaction, whose WAL makes the next recovery long.
    async fn begin_large_transaction(&self) -> Result<(), ServerError>;

    /// Kills the backend of the large transaction, and holds the recovery that follows until
    /// [`release_recovery`](CrashControl::release_recovery).
    async fn crash_into_recovery(&self) -> Result<(), ServerError>;

    /// Lets a held recovery finish.
    async fn release_recovery(&self) -> Result<(), ServerError>;
}

/// Sessions of the client's role, and the connection slots that they need.
#[async_trait]
pub(crate) trait SessionControl: Send + Sync {
    /// Counts the sessions of the client's role, and those of them that have been idle in a transaction for at least
    /// `idle`.
    async fn sessions(&self, idle: Duration) -> Result<Sessions, ServerError>;

    /// Terminates (`pg_terminate_backend`) every session of the client's role; returns how many. Does not wait until
    /// they have ended.
    async fn terminate_sessions(&self) -> Result<usize, ServerError>;

    /// Terminates the client's sessions repeatedly until none is left; returns how many were terminated.
    async fn clear_sessions(&self) -> Result<usize, ServerError>;

    /// Fills every connection slot of ordinary roles with sessions of the harness, while it terminates the client's
    /// sessions; returns how many were terminated. `reserved_too`: fills the slots reserved for superusers as well.
    async fn take_slots(&self, reserved_too: bool) -> Result<usize, ServerError>;

    /// Fills every slot of ordinary roles with sessions of the harness as soon as a starting server accepts them;
    /// returns how many.
    async fn rush_slots(&self) -> Result<usize, ServerError>;

    /// Ends one of the harness's sessions that fill slots.
    fn leave_slot(&self);

    /// Ends all of the harness's sessions that fill slots; returns once their slots are free.
    async fn give_back_slots(&self) -> Result<(), ServerError>;

    /// Limits how many sessions the client's role may have; `None`: no limit.
    async fn limit_role(&self, sessions: Option<u32>) -> Result<(), ServerError>;

    /// Opens a session of the harness to time round trips with.
    async fn probe(&self) -> Result<Box<dyn Probe>, ServerError>;
}

/// A session of the harness that times round trips.
#[async_trait]
pub(crate) trait Probe: Send + Sync {
    /// Makes one round trip; returns how long it took.
    async fn round_trip(&self) -> Result<Duration, ServerError>;
}

/// A reason for which the server refuses the client's sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// The role does not exist.
    Role,
    /// The database does not exist.
    Database,
    /// The role has NOLOGIN.
    Login,
    /// The role lacks the CONNECT privilege on the database.
    Connect,
}

/// Connections that `pg_hba.conf` admits besides those of the superuser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The connections that it admitted before the first change.
    AsBefore,
    /// Connections from these addresses.
    From(AddressRange),
    /// No connections.
    Nobody,
    /// The client's connections over TLS only; `certificate`: only with a client certificate. The harness's roles
    /// are still admitted in plaintext.
    TlsOnly { certificate: bool },
}

/// The client's role, its password, and the rules for sign-in.
#[async_trait]
pub(crate) trait SignInControl: Send + Sync {
    /// Changes the password of the client's role. Open sessions continue.
    async fn set_password(&self, password: &str) -> Result<(), ServerError>;

    /// Signs in with the client's role and a password.
    async fn check_password(&self, password: &str) -> Result<(), ServerError>;

    /// Makes the server refuse the client's sign-in, then ends the client's sessions; returns how many. In this order,
    /// the client cannot reconnect.
    async fn deny(&self, denial: Denial) -> Result<usize, ServerError>;

    /// Undoes a denial, also one that failed half-way.
    async fn permit(&self, denial: Denial) -> Result<(), ServerError>;

    /// Sets the initial value of a setting in sessions of the client's role (`ALTER ROLE … SET`); `None`: the server's
    /// default.
    async fn set_for_role(&self, setting: &str, value: Option<&str>) -> Result<(), ServerError>;

    /// Returns the client's address as the server sees it.
    async fn client_address(&self) -> Result<Ipv4Addr, ServerError>;

    /// Changes which connections `pg_hba.conf` admits; returns once the rules are in force. Open sessions continue.
    async fn admit(&self, admission: Admission) -> Result<(), ServerError>;

    /// Makes the server present another certificate; returns once a handshake shows it. Open sessions continue.
    #[cfg(feature = "tls")]
    async fn serve_certificate(&self, certificate: &Certificate) -> Result<(), ServerError>;

    /// Replaces the list of revoked client certificates, in PEM; returns once new sessions use it.
    #[cfg(feature = "tls")]
    async fn revoke_certificates(&self, list: &str) -> Result<(), ServerError>;
}

/// Memory, disk and processor of the server, and the lock on the ledger.
#[async_trait]
pub(crate) trait ResourceControl: Send + Sync {
    /// Limits the server's memory; returns how it reacts to the shortage.
    async fn squeeze_memory(&self) -> Result<Shortage, ServerError>;

    /// Runs a query that allocates more than the limit.
    ///
    /// *Errors*: the query fails, as intended, or this server cannot be killed for lack of memory.
    async fn exceed_memory(&self) -> Result<(), ServerError>;

    /// Removes the limit of [`squeeze_memory`](ResourceControl::squeeze_memory).
    async fn release_memory(&self) -> Result<(), ServerError>;

    /// Fills the small disk. If it holds the ledger, returns once no row fits; if it holds the WAL, returns once the
    /// server has ended because of it.
    async fn fill_disk(&self, disk: SmallDisk) -> Result<(), ServerError>;

    /// Frees the small disk again. If it holds the WAL, the server may be down; if it holds the ledger, the server must
    /// run.
    async fn free_disk(&self, disk: SmallDisk) -> Result<(), ServerError>;

    /// Limits the server to a share of a processor. On a real server, a query of the harness takes most of that share.
    async fn throttle(&self, share: Share) -> Result<(), ServerError>;

    /// Ends [`throttle`](ResourceControl::throttle); returns once the server runs queries at full speed.
    async fn unthrottle(&self) -> Result<(), ServerError>;

    /// Locks the ledger, so that statements that read or write it wait.
    async fn lock_ledger(&self) -> Result<(), ServerError>;

    /// Releases the lock; does nothing if there is none.
    async fn unlock_ledger(&self) -> Result<(), ServerError>;
}

/// A primary and its standby.
#[async_trait]
pub(crate) trait ReplicationControl: Send + Sync {
    /// Promotes a standby; returns once it accepts writes.
    async fn promote(&self) -> Result<(), ServerError>;

    /// Makes a primary read-only (`default_transaction_read_only`); returns once all transactions from before the
    /// change have ended.
    async fn demote(&self) -> Result<(), ServerError>;

    /// Makes an old primary read-only, and ends the client's sessions; returns how many of them were waiting for a
    /// standby to confirm a commit.
    async fn fence(&self) -> Result<usize, ServerError>;

    /// Ends the sessions that wait for a standby to confirm a commit; returns how many. Their commits are never
    /// acknowledged.
    async fn end_unconfirmed(&self) -> Result<usize, ServerError>;
}

/// Reads the server's log and ledger, and sends notifications.
#[async_trait]
pub(crate) trait ServerRecord: Send + Sync {
    /// Returns all log lines so far, oldest first.
    async fn log(&self) -> Result<Vec<LogLine>, ServerError>;

    /// Returns all rows of the ledger.
    async fn ledger(&self) -> Result<Ledger, ServerError>;

    /// Sends a notification with this number to the sessions that listen.
    async fn notify(&self, number: u64) -> Result<(), ServerError>;
}
