//! A primary and its standby, real ones: how one follows the other, and how it takes its place.
//!
//! Commits wait for the standby, so that no acknowledged write may be lost. They wait until it has been *replayed*
//! there (`remote_apply`): an acknowledged write can be read on either server, so that a read that misses it is never
//! explained by a standby that lags.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::RealServer;
use crate::server::control::ReplicationControl;
use crate::server::{Readiness, START_PATIENCE, Server, ServerError, Session};

/// Longest until a standby that is up follows its primary, and until a promotion is over: some 100 ms, on a busy
/// machine seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// On the primary alone, and in its file: a standby that is promoted has no standby to wait for.
const WAIT_FOR_STANDBY: [&str; 3] = [
    "ALTER SYSTEM SET synchronous_commit = 'remote_apply'",
    "ALTER SYSTEM SET synchronous_standby_names = '*'",
    "SELECT pg_reload_conf()",
];

/// The primary's view of its standby.
const STANDBY_STATE: &str = "SELECT coalesce((SELECT format('%s, %s, replayed %s', state, sync_state, \
     replay_lsn >= pg_current_wal_flush_lsn()) FROM pg_stat_replication LIMIT 1), 'not connected')";

/// The value of [`STANDBY_STATE`] once every commit waits for the standby, and it has everything.
const FOLLOWS: &str = "streaming, sync, replayed t";

/// Sessions of clients that hold work from before the server became read-only.
const WRITING: &str = "SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'client backend' \
     AND pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR xact_start < pg_conf_load_time())";

/// Sessions that wait for a standby to confirm their commit.
const WAITING: &str = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid <> pg_backend_pid()";

/// Has every commit on the primary wait for the standby from now on; returns once it follows.
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
        // A transaction keeps what it began with. The standby still confirms, so that those which write can end.
        settle(&session, WRITING, "wait for the last writes of the old primary", |found| found == "0").await
    }

    async fn fence(&self) -> Result<usize, ServerError> {
        let session = self.session().await?;
        make_read_only(&session).await?;
        let ended = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid) AND wait_event = 'SyncRep') \
                     FROM pg_stat_activity WHERE usename = $1";
        session.count(ended, &[&self.user]).await
    }

    /// Their writes are on this server alone. Ended so, they are not acknowledged; cancelled, or with no standby to wait
    /// for any more, they would be, and that is split brain.
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
