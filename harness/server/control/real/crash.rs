//! Kills backends of a real server, and holds the crash recovery that follows.

use async_trait::async_trait;

use super::{RealServer, not_done};
use crate::server::ServerError;
use crate::server::control::CrashControl;

/// Selects the backend of a role's oldest session, without the harness's sessions.
const VICTIM: &str = "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND application_name <> 'pgsquall' \
                      AND backend_type = 'client backend' ORDER BY backend_start LIMIT 1";

/// About 50 MB of WAL in one transaction that never commits: "a large transaction causes a long-running recovery".
/// Its replay takes long enough that the harness can freeze it.
const LARGE_TRANSACTION: &str = "CHECKPOINT; BEGIN; CREATE TABLE pgsquall_large (text text); \
     INSERT INTO pgsquall_large SELECT repeat(md5(i::text), 8) FROM generate_series(1, 150000) AS i";

#[async_trait]
impl CrashControl for RealServer {
    async fn crash_backend(&self) -> Result<bool, ServerError> {
        let victim = self.session().await?.value(VICTIM, &[&self.user]).await?;
        match victim {
            Some(pid) => self.server.kill_backend(pid).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn begin_large_transaction(&self) -> Result<(), ServerError> {
        let session = self.session_in_database().await?;
        let pid = session.value("SELECT pg_backend_pid()", &[]).await?.unwrap_or_default();
        for statement in LARGE_TRANSACTION.split("; ") {
            session.batch(statement).await?;
        }
        self.held().large_transaction = Some((session, pid));
        Ok(())
    }

    async fn crash_into_recovery(&self) -> Result<(), ServerError> {
        let transaction = self.held().large_transaction.take();
        let Some((session, pid)) = transaction else {
            return Err(not_done("crash a large transaction", "none was begun".into()));
        };
        self.server.crash_into_recovery(pid).await?;
        drop(session);
        Ok(())
    }

    async fn release_recovery(&self) -> Result<(), ServerError> {
        self.server.release_recovery().await
    }
}
