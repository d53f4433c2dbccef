//! Timeouts of the server's own: what it ends because the client, or the path, leaves it lying.

use std::time::Duration;

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive};
use crate::environment::Environment;
use crate::model::fault::ServerTimeout;
use crate::model::history::Evidence;
use crate::server::Session;
use crate::server::bootstrap::{DATABASE, LEDGER, ROLE};

/// A timeout for the client's role alone, so that the harness's own sessions live. A session takes it over when it
/// begins, and keeps it: it is set before the client starts.
pub(super) struct TimingOut {
    timeout: ServerTimeout,
    after: Duration,
    /// Keeps statements waiting, where statements are what times out.
    lock: Option<Session>,
    witness: LogWatch,
}

impl TimingOut {
    pub fn new(timeout: ServerTimeout, after: Duration) -> TimingOut {
        TimingOut { timeout, after, lock: None, witness: LogWatch::default() }
    }
}

#[async_trait]
impl Injection for TimingOut {
    async fn arm(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let session = environment.server().superuser().connect().await?;
        let (setting, after) = (self.timeout.setting(), self.after.as_millis());
        Ok(session.batch(&format!("ALTER ROLE {ROLE} SET {setting} = '{after}ms'")).await?)
    }

    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        if self.timeout == ServerTimeout::Statement {
            let session = environment.server().superuser().in_database(DATABASE).connect().await?;
            session.batch("BEGIN").await?;
            // Reads wait for it too.
            session.batch(&format!("LOCK TABLE {LEDGER} IN ACCESS EXCLUSIVE MODE")).await?;
            self.lock = Some(session);
        }
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        if let Some(session) = self.lock.take() {
            session.batch("ROLLBACK").await?;
        }
        let session = environment.server().superuser().connect().await?;
        Ok(session.batch(&format!("ALTER ROLE {ROLE} RESET {}", self.timeout.setting())).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let sqlstate = self.timeout.sqlstate();
        // 57014 is also what a client gets that cancels its own statement.
        let told = self.witness.told(environment, sqlstate, "timeout").await?;
        let what = match self.timeout {
            ServerTimeout::Statement => "statements",
            ServerTimeout::IdleSession | ServerTimeout::IdleInTransaction => "sessions",
        };
        Ok(vec![decisive(&format!("{what} ended with {sqlstate}"), told)])
    }
}
