//! The server's own timeouts: it ends idle sessions, idle transactions, or statements that wait too long.
//!
//! A timeout is set for the client's role alone, so that the harness's own sessions live on, and before the client
//! starts, because a session takes it over when it begins. A client that sets its own value overrides it, as in
//! production.

use std::time::Duration;

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive};
use crate::environment::Environment;
use crate::model::fault::ServerTimeout;
use crate::model::history::Evidence;

/// A timeout of the client's role until heal. For the statement timeout, the ledger is locked meanwhile, so that
/// statements wait.
pub(super) struct TimingOut {
    timeout: ServerTimeout,
    after: Duration,
    log: LogWatch,
}

impl TimingOut {
    pub fn new(timeout: ServerTimeout, after: Duration) -> TimingOut {
        TimingOut { timeout, after, log: LogWatch::default() }
    }
}

#[async_trait]
impl Injection for TimingOut {
    async fn arm(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let after = format!("{}ms", self.after.as_millis());
        Ok(environment.server().set_for_role(self.timeout.setting(), Some(&after)).await?)
    }

    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        match self.timeout {
            ServerTimeout::Statement => Ok(environment.server().lock_ledger().await?),
            ServerTimeout::IdleSession | ServerTimeout::IdleInTransaction => Ok(()),
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.server().unlock_ledger().await?;
        Ok(environment.server().set_for_role(self.timeout.setting(), None).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let sqlstate = self.timeout.sqlstate();
        // A statement that the client itself cancels also ends with 57014, but with another text.
        let ended = self.log.count_errors_with(environment, sqlstate, "timeout").await?;
        let what = match self.timeout {
            ServerTimeout::Statement => "statements",
            ServerTimeout::IdleSession | ServerTimeout::IdleInTransaction => "sessions",
        };
        Ok(vec![decisive(&format!("{what} ended with {sqlstate}"), ended)])
    }
}
