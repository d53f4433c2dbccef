//! What a course is run on: servers and gateways of the machine's, or simulated ones.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::audit;
use super::listen_notify::{Messenger, Sender};
use crate::credentials::address::Address;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::fault::Fault;
use crate::model::history::Sessions;
use crate::nemesis::{self, Injection};
use crate::server::ServerError;

/// Keys of a ledger, as runs `(first key, last key, copies)`.
pub(crate) type Ledger = Vec<(i64, i64, u64)>;

/// The ground of a course.
#[async_trait]
pub(crate) trait RunBackend: Send + Sync {
    /// What the client is given.
    fn address(&self) -> &Address;

    /// How a fault is carried out here.
    fn injection(&self, fault: &Fault) -> Box<dyn Injection<Self>>;

    /// Medians of a round trip with no fault, direct and through the gateway; `None` where they would say nothing.
    async fn calibrate(&self) -> Result<Option<(Duration, Duration)>, ServerError>;

    /// The client's sessions shortly before `onset`. One that is in a transaction with nothing running is told of once
    /// that has lasted for `idle`.
    async fn steady_sessions(&self, idle: Duration, onset: Instant) -> Result<Sessions, ServerError>;

    /// Waits until the client has few enough sessions, or patience ends; returns the last count.
    async fn settled_sessions(
        &self,
        enough: &(dyn Fn(Sessions) -> bool + Send + Sync),
        patience: Duration,
        idle: Duration,
    ) -> Result<Sessions, ServerError>;

    /// Waits until nothing of the client's can write any more, or patience ends.
    async fn wait_quiescent(&self, patience: Duration) -> Result<(), Error>;

    /// What is in the ledger of the primary, and before that in the one of the server beside it, where there is one.
    async fn ledgers(&self) -> Result<(Option<Ledger>, Ledger), ServerError>;

    /// Errors that the servers have told the client's role, by SQLSTATE.
    async fn errors(&self) -> Result<BTreeMap<String, u64>, ServerError>;

    /// Somebody who sends notifications to those that listen at the primary.
    fn messenger(&self) -> Box<dyn Messenger + '_>;
}

#[async_trait]
impl RunBackend for Environment {
    fn address(&self) -> &Address {
        &self.address
    }

    fn injection(&self, fault: &Fault) -> Box<dyn Injection<Self>> {
        nemesis::injection(fault, self.kernel.is_some())
    }

    async fn calibrate(&self) -> Result<Option<(Duration, Duration)>, ServerError> {
        audit::calibrate(self).await.map(Some)
    }

    async fn steady_sessions(&self, idle: Duration, onset: Instant) -> Result<Sessions, ServerError> {
        audit::steady_sessions(self, idle, onset).await
    }

    async fn settled_sessions(
        &self,
        enough: &(dyn Fn(Sessions) -> bool + Send + Sync),
        patience: Duration,
        idle: Duration,
    ) -> Result<Sessions, ServerError> {
        audit::settled_sessions(self, enough, patience, idle).await
    }

    async fn wait_quiescent(&self, patience: Duration) -> Result<(), Error> {
        // Statements of sessions that nobody waits for any more may still write.
        self.clear_path().await?;
        Ok(audit::wait_quiescent(self, patience).await?)
    }

    async fn ledgers(&self) -> Result<(Option<Ledger>, Ledger), ServerError> {
        let beside = audit::ledger_beside(self).await?;
        // Last, so that what is still on its way from there to here is seen here.
        Ok((beside, audit::ledger(self).await?))
    }

    async fn errors(&self) -> Result<BTreeMap<String, u64>, ServerError> {
        let mut errors = BTreeMap::new();
        for line in self.log_of_client().await?.into_iter().filter(|line| line.sqlstate != "00000") {
            *errors.entry(line.sqlstate).or_default() += 1;
        }
        Ok(errors)
    }

    fn messenger(&self) -> Box<dyn Messenger + '_> {
        Box::new(Sender::new(self))
    }
}
