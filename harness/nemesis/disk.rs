//! A disk that is full: that of the ledger, or that of the write-ahead log.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::{Environment, START_PATIENCE};
use crate::model::history::Evidence;
use crate::model::topology::SmallDisk;
use crate::server::bootstrap::{DATABASE, run_in};
use crate::server::{Readiness, ServerError, Session};

/// What fills the disk.
const BALLAST: &str = "ballast";

/// How the server says that there is no room.
const FULL: &str = "No space left on device";

/// Uses up the room that is left in pages of the ledger and its indexes, where the client's next rows would go: just
/// above its own keys, and downwards. Nobody ever sees these rows, since the end of the room rolls them back.
const USE_UP: &str = "BEGIN; INSERT INTO pgsquall_ledger (id, idempotency_key) \
                      SELECT 4611686018427387904 - i, 4611686018427387904 - i FROM generate_series(1, 100000) AS i; \
                      ROLLBACK";

/// Room left in the last segment of WAL, in bytes: what the client writes in about a second, so that it is the client
/// that meets the end of it.
const LAST_ROOM: i64 = 8 << 10;

/// Longest until a server without room for its WAL has ended: the client must write first, and then recovery must fail.
const END_WITHIN: Duration = Duration::from_secs(20);

/// How long it has to end each time before it is looked whether there is room again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Segments that are there beyond the one that is written now.
const AHEAD: &str = "SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' \
                     AND name > pg_walfile_name(pg_current_wal_insert_lsn())";

/// Bytes left in the segment that is written now.
const LEFT: &str = "SELECT size - (pg_current_wal_insert_lsn() - '0/0')::bigint % size \
                    FROM (SELECT setting::bigint AS size FROM pg_settings WHERE name = 'wal_segment_size') AS segment";

/// Ballast on the small disk until heal. Where that holds the ledger, writes get 53100 and sessions live on; where it
/// holds the WAL, the server ends, and cannot start until there is room.
#[derive(Default)]
pub(super) struct FillingDisk {
    witness: LogWatch,
    sessions: usize,
}

/// Leaves the ledger no room to grow.
async fn fill_heap(environment: &Environment, fill: &str) -> Result<(), NemesisError> {
    let session = environment.server().superuser().in_database(DATABASE).connect().await?;
    run_in(&session, fill).await?;
    // Servers up to 15 extend a table that many write to by dozens of pages at a time.
    match session.batch(USE_UP).await {
        Ok(()) => Err(NemesisError::NotInForce("the small disk has room for all that was written".into())),
        Err(error) if error.to_string().contains(FULL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Leaves the server no room for its log, until it has ended.
///
/// Once is not enough: a checkpoint removes old segments, and whoever still has one of those open, which takes up room
/// unseen, lets go of it when he writes next.
async fn fill_wal(environment: &Environment, fill: &str) -> Result<(), NemesisError> {
    let server = environment.server();
    let deadline = Instant::now() + END_WITHIN;
    loop {
        // The client writes meanwhile, and may meet the end of the room before all of it is used up here.
        let used_up = async { use_up_wal(&server.superuser().connect().await?, fill).await }.await;
        match server.ended(LOOK_EVERY).await {
            Ok(()) => return Ok(environment.without_server().await?),
            Err(_) if Instant::now() < deadline => {}
            Err(error) => return Err(used_up.err().unwrap_or(error).into()),
        }
    }
}

/// Takes the room that there is now, but for the last of it.
async fn use_up_wal(session: &Session, fill: &str) -> Result<(), ServerError> {
    // Segments made in advance are room that no ballast takes.
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

#[async_trait]
impl Injection for FillingDisk {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let Some(disk) = environment.server().small_disk() else {
            return Err(NemesisError::NotInForce("the server has no small disk".into()));
        };
        // It ends when there is no room, which is an error to dd and what is wanted here.
        let fill = format!("dd if=/dev/zero of={disk}/{BALLAST} bs=4096 oflag=append conv=notrunc 2>/dev/null; true");
        self.sessions = environment.gateway.connections();
        match environment.layout.small_disk {
            Some(SmallDisk::Wal) => fill_wal(environment, &fill).await,
            _ => fill_heap(environment, &fill).await,
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let server = environment.server();
        match (environment.layout.small_disk, server.small_disk()) {
            (Some(SmallDisk::Wal), _) => {
                server.remove_from_small_disk(BALLAST).await?;
                // Whether it has ended, or was about to.
                match server.ended(Duration::ZERO).await {
                    Ok(()) => Ok(environment.start_server().await?),
                    Err(_) => Ok(server.wait(Readiness::AcceptingQueries, START_PATIENCE).await?),
                }
            }
            (_, Some(disk)) => {
                let session = server.superuser().connect().await?;
                Ok(run_in(&session, &format!("rm -f {disk}/{BALLAST}")).await?)
            }
            (_, None) => Ok(()),
        }
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let full = self.witness.said(environment, FULL).await?;
        let refused = self.witness.refused(environment, "53100").await?;
        Ok(match environment.layout.small_disk {
            Some(SmallDisk::Wal) => vec![
                // Whoever met the end of the room, everybody has lost his session.
                decisive("sessions lost with the server", if full > 0 { self.sessions } else { 0 }),
                supporting("lines in the log for want of room", full),
                supporting("of the client's own writes", refused),
            ],
            _ => vec![decisive("statements refused with 53100", refused)],
        })
    }
}
