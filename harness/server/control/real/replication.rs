//! Replication between a real primary and its standby: following, promotion, demotion.
//!
//! Commits wait until the standby has *replayed* them (`remote_apply`). So a failover must lose no acknowledged write,
//! and replication lag cannot explain a read that misses one.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::RealServer;
use crate::server::control::ReplicationControl;
use crate::server::{Readiness, START_PATIENCE, Server, ServerError, Session};

/// Longest wait until a ready standby follows its primary, or a promotion has ended: some 100 ms; seconds on a busy
/// machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Interval of polling.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Statements for the primary only, because a promoted standby has no standby to wait for. ALTER SYSTEM keeps them in
/// the primary's own file.
const WAIT_FOR_STANDBY: [&str; 3] = [
    "ALTER SYSTEM SET synchronous_commit = 'remote_apply'",
    "ALTER SYSTEM SET synchronous_standby_names = '*'",
    "SELECT pg_reload_conf()",
];

/// The primary's view of its standby.
const STANDBY_STATE: &str = "SELECT coalesce((SELECT format('%s, %s, replayed %s', state, sync_state, \
     replay_lsn >= pg_current_wal_flush_lsn()) FROM pg_stat_replication LIMIT 1), 'not connected')";

/// The value of [`STANDBY_STATE`] once every commit waits for the standby, and the standby has replayed all WAL.
const FOLLOWS: &str = "streaming, sync, replayed t";

/// Counts sessions with a transaction from before the server became read-only.
const WRITING: &str = "SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'client backend' \
     AND pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR xact_start < pg_conf_load_time())";

/// Sessions that wait for a standby to confirm their commit.
const WAITING: &str = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid <> pg_backend_pid()";

/// Makes every commit on the primary wait for the standby; returns once the standby follows.
///
/// *Errors*: the standby is not ready or does not follow in time.
pub(crate) async fn follow(primary: &dyn Server, standby: &dyn Server) -> Result<(), ServerError> {
    standby.wait(Readiness::AcceptingQueries, START_PATIENCE).await?;
    let session = primary.superuser().connect().await?;
    for statement in WAIT_FOR_STANDBY {
        session.batch(statement).await?;
    }
    settle(&session, STANDBY_STATE, "wait for the standby to follow", |state| state == FOLLOWS).await
}

#[async_trait]
impl ReplicationControl for RealServer {
    async fn promote(&self) -> Result<(), ServerError> {
        let session = self.session().await?;
        session.batch("SELECT pg_promote(false)").await?;
        settle(&session, "SELECT pg_is_in_recovery()::text", "wait for the promotion", |found| found == "false").await
    }

    async fn demote(&self) -> Result<(), ServerError> {
        let session = self.session().await?;
        make_read_only(&session).await?;
        // Open transactions stay writable. They can end, because the standby still confirms commits.
        settle(&session, WRITING, "wait for the last writes of the old primary", |found| found == "0").await
    }

    async fn fence(&self) -> Result<usize, ServerError> {
        let session = self.session().await?;
        make_read_only(&session).await?;
        let ended = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid) AND wait_event = 'SyncRep') \
                     FROM pg_stat_activity WHERE usename = $1";
        session.count(ended, &[&self.user]).await
    }

    /// The commits of these sessions are only on this server. Terminated sessions do not acknowledge them. If they were
    /// cancelled, or if no standby were required any more, they would acknowledge them: split brain.
    async fn end_unconfirmed(&self) -> Result<usize, ServerError> {
        let ended = format!("SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) {WAITING}");
        self.session().await?.count(&ended, &[]).await
    }
}

async fn make_read_only(session: &Session) -> Result<(), ServerError> {
    session.batch("ALTER SYSTEM SET default_transaction_read_only = on").await?;
    session.batch("SELECT pg_reload_conf()").await?;
    let is_on = "SELECT current_setting('default_transaction_read_only')";
    settle(session, is_on, "make the primary read-only", |found| found == "on").await
}

/// Polls a query until its value satisfies `is_so`.
///
/// *Errors*: not within [`PATIENCE`]; with the last value.
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
