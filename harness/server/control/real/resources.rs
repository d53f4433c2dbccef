//! Makes resources of a real server short: memory, the small disk, processor time, the ledger's lock.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::{PATIENCE, RealServer, not_done};
use crate::model::fault::Share;
use crate::model::topology::SmallDisk;
use crate::server::bootstrap::{LEDGER, run_in};
use crate::server::control::ResourceControl;
use crate::server::{Readiness, START_PATIENCE, ServerError, Session, Shortage};

/// Allocates 900 MB, far more than a container's limit, and touches all of it at once.
const HUNGRY: &str = "SELECT length(repeat('x', 900000000))";

/// Computes for minutes without writing to disk.
const HOG: &str = "SELECT count(*) FROM generate_series(1, 30000) AS a, generate_series(1, 30000) AS b";

/// Name of the file that fills the disk.
const BALLAST: &str = "ballast";

/// Part of the server's error when the disk is full.
const FULL: &str = "No space left on device";

/// Fills the free space in the pages of the ledger and its indexes where the client's next rows would go: its keys are
/// above all of the client's keys and descend. No session sees these rows, because the full disk rolls them back.
const USE_UP: &str = "BEGIN; INSERT INTO pgsquall_ledger (id, idempotency_key) \
                      SELECT 4611686018427387904 - i, 4611686018427387904 - i FROM generate_series(1, 100000) AS i; \
                      ROLLBACK";

/// Room left in the last WAL segment, in bytes: what the client writes in about a second, so that a write of the client
/// is the first to fail.
const LAST_ROOM: i64 = 8 << 10;

/// How long [`RealServer::fill_wal`] waits for the server to end before it fills the disk again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Counts WAL segments that exist after the current one.
const AHEAD: &str = "SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' \
                     AND name > pg_walfile_name(pg_current_wal_insert_lsn())";

/// Bytes left in the current WAL segment.
const LEFT: &str = "SELECT size - (pg_current_wal_insert_lsn() - '0/0')::bigint % size \
                    FROM (SELECT setting::bigint AS size FROM pg_settings WHERE name = 'wal_segment_size') AS segment";

/// Fills the disk and the current WAL segment, except for [`LAST_ROOM`]. `fill`: the shell command that fills the disk.
async fn use_up_wal(session: &Session, fill: &str) -> Result<(), ServerError> {
    // The ballast cannot take the room of segments that exist already.
    while session.count(AHEAD, &[]).await? > 0 {
        session.batch("SELECT pg_logical_emit_message(false, 'pgsquall', 'next'); SELECT pg_switch_wal()").await?;
    }
    run_in(session, fill).await?;
    match session.value::<i64>(LEFT, &[]).await?.unwrap_or_default() - LAST_ROOM {
        size if size > LAST_ROOM => {
            session.batch(&format!("SELECT pg_logical_emit_message(false, 'pgsquall', repeat('x', {size}))")).await
        }
        _ => Ok(()),
    }
}

impl RealServer {
    /// Fills the disk so that the ledger cannot grow.
    async fn fill_heap(&self, fill: &str) -> Result<(), ServerError> {
        let session = self.session_in_database().await?;
        run_in(&session, fill).await?;
        // Servers up to 15 extend a table with many writers by dozens of pages at a time, which have room left.
        match session.batch(USE_UP).await {
            Ok(()) => Err(not_done("fill the small disk", "it has room for all that was written".into())),
            Err(error) if error.to_string().contains(FULL) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Fills the disk of the WAL repeatedly until the server has ended.
    ///
    /// Filling once is not enough: a checkpoint removes old segments, and a removed segment that a session still has
    /// open takes room until the session's next write.
    async fn fill_wal(&self, fill: &str) -> Result<(), ServerError> {
        // The server ends after a write of the client has failed and then recovery has failed too.
        let deadline = Instant::now() + PATIENCE;
        loop {
            // An error here is kept for later: the server may crash on a client's write before the disk is full.
            let used_up = async { use_up_wal(&self.server.superuser().connect().await?, fill).await }.await;
            match self.server.ended(LOOK_EVERY).await {
                Ok(()) => return Ok(()),
                Err(_) if Instant::now() < deadline => {}
                Err(error) => return Err(used_up.err().unwrap_or(error)),
            }
        }
    }
}

#[async_trait]
impl ResourceControl for RealServer {
    async fn squeeze_memory(&self) -> Result<Shortage, ServerError> {
        // While memory is short, no session can be opened.
        self.keep_session().await?;
        self.server.squeeze_memory().await
    }

    async fn exceed_memory(&self) -> Result<(), ServerError> {
        self.session().await?.batch(HUNGRY).await
    }

    async fn release_memory(&self) -> Result<(), ServerError> {
        self.end_kept_session();
        self.server.release_memory().await
    }

    async fn fill_disk(&self, disk: SmallDisk) -> Result<(), ServerError> {
        let Some(folder) = self.server.small_disk() else {
            return Err(not_done("fill the small disk", "the server has none".into()));
        };
        // dd fails when the disk is full, as intended; `true` hides its exit code.
        let fill = format!("dd if=/dev/zero of={folder}/{BALLAST} bs=4096 oflag=append conv=notrunc 2>/dev/null; true");
        match disk {
            SmallDisk::Wal => self.fill_wal(&fill).await,
            SmallDisk::Heap => self.fill_heap(&fill).await,
        }
    }

    async fn free_disk(&self, disk: SmallDisk) -> Result<(), ServerError> {
        match (disk, self.server.small_disk()) {
            (SmallDisk::Wal, _) => self.server.remove_from_small_disk(BALLAST).await,
            (SmallDisk::Heap, Some(folder)) => {
                let session = self.session().await?;
                run_in(&session, &format!("rm -f {folder}/{BALLAST}")).await
            }
            (SmallDisk::Heap, None) => Ok(()),
        }
    }

    async fn throttle(&self, share: Share) -> Result<(), ServerError> {
        let hungry = self.server.superuser().connect().await?;
        hungry.batch("SET jit = off; SET max_parallel_workers_per_gather = 0").await?;
        let pid = hungry.value("SELECT pg_backend_pid()", &[]).await?.unwrap_or_default();
        let query = tokio::spawn(async move {
            // `unthrottle` terminates this session, so an error is expected.
            let _ = hungry.batch(HOG).await;
        });
        self.held().hog = Some((AbortOnDropHandle::new(query), pid));
        self.server.throttle(share).await
    }

    async fn unthrottle(&self) -> Result<(), ServerError> {
        self.server.unthrottle().await?;
        self.server.wait(Readiness::AcceptingQueries, START_PATIENCE).await?;
        let hog = self.held().hog.take();
        if let Some((query, pid)) = hog {
            self.session().await?.rows("SELECT pg_terminate_backend($1)", &[&pid]).await?;
            drop(query);
        }
        Ok(())
    }

    async fn lock_ledger(&self) -> Result<(), ServerError> {
        let session = self.session_in_database().await?;
        session.batch("BEGIN").await?;
        // ACCESS EXCLUSIVE makes reads wait too.
        session.batch(&format!("LOCK TABLE {LEDGER} IN ACCESS EXCLUSIVE MODE")).await?;
        self.held().lock = Some(session);
        Ok(())
    }

    async fn unlock_ledger(&self) -> Result<(), ServerError> {
        let lock = self.held().lock.take();
        match lock {
            Some(session) => session.batch("ROLLBACK").await,
            None => Ok(()),
        }
    }
}
