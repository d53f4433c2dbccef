//! A real server under control: processes by signals, everything else by SQL of its superuser.
//!
//! Holds the sessions that a fault needs while it is in force, so that the faults themselves hold none.

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

/// Longest that the server may take for what takes milliseconds, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks at something that settles.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A server, and what the harness holds there.
pub(crate) struct RealServer {
    server: Arc<dyn Server>,
    /// The client's role, its password, which every role of the harness has too, and its database.
    user: String,
    password: String,
    database: String,
    held: Mutex<Held>,
}

/// Sessions and texts that outlive one verb.
#[derive(Default)]
struct Held {
    /// A superuser's session from before new ones became impossible.
    kept: Option<Arc<Session>>,
    /// Sessions that take slots.
    occupants: Vec<Session>,
    /// The session that has locked the ledger.
    lock: Option<Session>,
    /// The session of a large transaction, and its backend.
    large_transaction: Option<(Session, i32)>,
    /// The query that takes most of a throttled processor, and its backend.
    hog: Option<(AbortOnDropHandle<()>, i32)>,
    /// `pg_hba.conf` as it was before the first change.
    rules: Option<String>,
    /// The client's address, as the server sees it, once it has been looked at.
    client: Option<Ipv4Addr>,
    /// The session that sends notifications, and the server's address when it was opened.
    notifier: Option<(Session, SocketAddr)>,
}

impl RealServer {
    /// `address`: the credentials of the client.
    pub fn new(server: Arc<dyn Server>, address: &Address) -> RealServer {
        let Address { user, password, database, .. } = address;
        let (user, password, database) = (user.clone(), password.clone(), database.clone());
        RealServer { server, user, password, database, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }

    /// A superuser's session: the kept one while it lives, else a new one.
    async fn session(&self) -> Result<Arc<Session>, ServerError> {
        let kept = self.held().kept.clone().filter(|kept| kept.is_open());
        match kept {
            Some(kept) => Ok(kept),
            None => Ok(Arc::new(self.server.superuser().connect().await?)),
        }
    }

    /// A superuser's session that is kept from now on, because soon no other can be opened.
    async fn keep_session(&self) -> Result<Arc<Session>, ServerError> {
        let session = self.session().await?;
        self.held().kept = Some(Arc::clone(&session));
        Ok(session)
    }

    fn end_kept_session(&self) {
        self.held().kept = None;
    }

    /// A superuser's session in the client's database.
    async fn session_in_database(&self) -> Result<Session, ServerError> {
        self.server.superuser().in_database(&self.database).connect().await
    }
}

/// A verb whose effect did not show.
fn not_done(doing: &str, reason: String) -> ServerError {
    ServerError::Sql { doing: doing.to_owned(), reason }
}
