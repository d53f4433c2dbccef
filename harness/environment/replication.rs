//! A primary and its standby: how one comes to follow the other, and how it takes its place.
//!
//! Commits wait for the standby, so that no acknowledged write may be lost. They wait until it has been *replayed*
//! there (`remote_apply`): what is acknowledged can be read on either server, so that a read that misses it is never
//! the doing of a standby that lags.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::server::{Readiness, Server, ServerError, Session};

/// Longest until a standby that is up follows its primary, and until a promotion is over: some 100 ms, on a busy
/// machine seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// On the primary alone, and in its file: a standby that is promoted has nobody to wait for.
const WAIT_FOR_STANDBY: [&str; 3] = [
    "ALTER SYSTEM SET synchronous_commit = 'remote_apply'",
    "ALTER SYSTEM SET synchronous_standby_names = '*'",
    "SELECT pg_reload_conf()",
];

/// What the primary thinks of its standby.
const STANDBY_STATE: &str = "SELECT coalesce((SELECT format('%s, %s, replayed %s', state, sync_state, \
     replay_lsn >= pg_current_wal_flush_lsn()) FROM pg_stat_replication LIMIT 1), 'not connected')";

/// As [`STANDBY_STATE`] says it once every commit waits for the standby, and it has everything.
const FOLLOWS: &str = "streaming, sync, replayed t";

/// Sessions of clients that hold work from before they were told to be read-only.
const WRITING: &str = "SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'client backend' \
     AND pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR xact_start < pg_conf_load_time())";

/// Sessions that wait for a standby to confirm their commit.
const WAITING: &str = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid <> pg_backend_pid()";

/// Has every commit on the primary wait for the standby from now on; returns once it follows.
pub(super) async fn follow(primary: &dyn Server, standby: &dyn Server) -> Result<(), ServerError> {
    standby.wait(Readiness::AcceptingQueries, super::START_PATIENCE).await?;
    let session = primary.superuser().connect().await?;
    for statement in WAIT_FOR_STANDBY {
        session.batch(statement).await?;
    }
    settle(&session, STANDBY_STATE, "wait for the standby to follow", |state| state == FOLLOWS).await
}

/// Promotes a standby; returns once it takes writes.
pub(super) async fn promote(standby: &dyn Server) -> Result<(), ServerError> {
    let session = standby.superuser().connect().await?;
    session.batch("SELECT pg_promote(false)").await?;
    settle(&session, "SELECT pg_is_in_recovery()::text", "wait for the promotion", |found| found == "false").await
}

/// Makes a primary read-only for every session, those that are open included; returns once none can write any more.
pub(super) async fn demote(primary: &dyn Server) -> Result<(), ServerError> {
    let session = primary.superuser().connect().await?;
    make_read_only(&session).await?;
    // A transaction keeps what it began with. The standby still confirms, so that those which write come to their end.
    settle(&session, WRITING, "wait for the last writes of the old primary", |found| found == "0").await
}

async fn make_read_only(session: &Session) -> Result<(), ServerError> {
    session.batch("ALTER SYSTEM SET default_transaction_read_only = on").await?;
    session.batch("SELECT pg_reload_conf()").await?;
    let is_on = "SELECT current_setting('default_transaction_read_only')";
    settle(session, is_on, "make the primary read-only", |found| found == "on").await
}

/// Makes a server that was the primary read-only, and ends every session of a role; returns how many of them waited for
/// a standby that had gone.
pub(super) async fn fence(old: &dyn Server, role: &str) -> Result<usize, ServerError> {
    let session = old.superuser().connect().await?;
    make_read_only(&session).await?;
    let ended = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid) AND wait_event = 'SyncRep') \
                 FROM pg_stat_activity WHERE usename = $1";
    session.count(ended, &[&role]).await
}

/// Ends the sessions that wait for a confirmation which will never come; returns how many there were.
///
/// Their writes are on this server alone. Ended so, they are not acknowledged; cancelled, or with nobody to wait for
/// any more, they would be, and that is split brain.
pub(super) async fn end_unconfirmed(primary: &dyn Server) -> Result<usize, ServerError> {
    let session = primary.superuser().connect().await?;
    let ended = format!("SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) {WAITING}");
    session.count(&ended, &[]).await
}

/// Looks until one value is as it should be.
async fn settle(session: &Session, sql: &str, doing: &str, is_so: impl Fn(&str) -> bool) -> Result<(), ServerError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found: String = session.value(sql, &[]).await?.unwrap_or_default();
        if is_so(&found) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let reason = format!("not after {}; last seen: {found}", crate::model::time::show(PATIENCE));
            return Err(ServerError::Sql { doing: doing.into(), reason });
        }
        sleep(LOOK_EVERY).await;
    }
}
