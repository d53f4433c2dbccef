//! Controls a real server: its processes by signals, everything else by SQL as superuser.
//!
//! [`RealServer`] keeps the sessions that a fault needs while it is in force, so that faults are the same for simulated
//! servers.

#[cfg(feature = "tls")]
mod certificate_probe;
mod crash;
mod process;
mod record;
pub(super) mod replication;
mod resources;
mod sessions;
mod sign_in;
mod slots;
#[cfg(feature = "tls")]
pub(super) mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio_util::task::AbortOnDropHandle;

use crate::credentials::address::Address;
use crate::server::{Server, ServerError, Session};

/// Longest wait for an effect that takes milliseconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Interval of polling.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A server and the harness's open sessions there. Errors are those of the traits, also of its own methods.
pub(crate) struct RealServer {
    server: Arc<dyn Server>,
    /// The client's role. `password`: of this role and of the harness's occupants. `database`: the client's.
    user: String,
    password: String,
    database: String,
    held: Mutex<Held>,
}

/// State that lasts from one operation to a later one.
#[derive(Default)]
struct Held {
    /// A superuser's session, opened before a fault made new ones impossible.
    kept: Option<Arc<Session>>,
    /// Sessions that fill connection slots.
    occupants: Vec<Session>,
    /// The session that locks the ledger.
    lock: Option<Session>,
    /// The session of a large transaction, and the pid of its backend.
    large_transaction: Option<(Session, i32)>,
    /// The query that takes most of a throttled processor, and the pid of its backend.
    hog: Option<(AbortOnDropHandle<()>, i32)>,
    /// The text of `pg_hba.conf` before the first change; `None` if it is unchanged.
    rules: Option<String>,
    /// The client's address as the server sees it; `None` until it has been queried.
    client: Option<Ipv4Addr>,
    /// The session that sends notifications, and the server's address when it was opened.
    notifier: Option<(Session, SocketAddr)>,
}

impl RealServer {
    /// Controls a server. Of `address`, only the client's credentials and database are used.
    pub fn new(server: Arc<dyn Server>, address: &Address) -> RealServer {
        let Address { user, password, database, .. } = address;
        let (user, password, database) = (user.clone(), password.clone(), database.clone());
        RealServer { server, user, password, database, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }

    /// Returns a superuser's session: the kept one while it is open, else a new one.
    async fn session(&self) -> Result<Arc<Session>, ServerError> {
        let kept = self.held().kept.clone().filter(|kept| kept.is_open());
        match kept {
            Some(kept) => Ok(kept),
            None => Ok(Arc::new(self.server.superuser().connect().await?)),
        }
    }

    /// Returns a superuser's session and keeps it, because soon no new one can be opened.
    async fn keep_session(&self) -> Result<Arc<Session>, ServerError> {
        let session = self.session().await?;
        self.held().kept = Some(Arc::clone(&session));
        Ok(session)
    }

    fn end_kept_session(&self) {
        self.held().kept = None;
    }

    /// Opens a superuser's session in the client's database.
    async fn session_in_database(&self) -> Result<Session, ServerError> {
        self.server.superuser().in_database(&self.database).connect().await
    }
}

/// Returns the error of an operation that had not the expected effect.
fn not_done(doing: &str, reason: String) -> ServerError {
    ServerError::Sql { doing: doing.to_owned(), reason }
}
