//! A crash after which the server takes long to come back.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::{Environment, START_PATIENCE};
use crate::model::history::Evidence;
use crate::server::bootstrap::DATABASE;
use crate::server::{Readiness, Session};

/// About 50 MB of WAL in one transaction that never commits: "a large transaction causes a long-running recovery".
/// Its replay takes long enough to be caught and held.
const LARGE_TRANSACTION: &str = "CHECKPOINT; BEGIN; CREATE TABLE pgsquall_large (text text); \
     INSERT INTO pgsquall_large SELECT repeat(md5(i::text), 8) FROM generate_series(1, 150000) AS i";

/// The backend of a large transaction dies; recovery begins, and is held until heal.
#[derive(Default)]
pub(super) struct LongRecovery {
    transaction: Option<(Session, i32)>,
    witness: LogWatch,
    sessions: usize,
}

#[async_trait]
impl Injection for LongRecovery {
    async fn arm(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let session = environment.server().superuser().in_database(DATABASE).connect().await?;
        let pid = session.value("SELECT pg_backend_pid()", &[]).await?.unwrap_or_default();
        for statement in LARGE_TRANSACTION.split("; ") {
            session.batch(statement).await?;
        }
        self.transaction = Some((session, pid));
        Ok(())
    }

    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let Some((session, pid)) = self.transaction.take() else {
            return Err(NemesisError::NotInForce("the large transaction was not prepared".into()));
        };
        self.sessions = environment.gateway.connections();
        environment.server().crash_into_recovery(pid).await?;
        drop(session);
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.server().release_recovery().await?;
        Ok(environment.server().wait(Readiness::AcceptingQueries, START_PATIENCE).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "57P03").await?;
        Ok(vec![
            decisive("connections refused with 57P03", refused),
            supporting("sessions lost in the crash", self.sessions),
        ])
    }
}
