//! A course on simulated servers: what is counted there, and read off them afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, sleep_until};

use super::nemesis;
use super::world::World;
use crate::credentials::address::Address;
use crate::error::Error;
use crate::model::fault::Fault;
use crate::model::history::{Evidence, Sessions};
use crate::nemesis::{Injection, NemesisError};
use crate::run::backend::{Ledger, RunBackend};
use crate::run::listen_notify::Messenger;
use crate::server::ServerError;
use crate::server::bootstrap::CHANNEL;

/// Between two looks at something that settles.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long before the first fault the client's sessions are counted.
const BEFORE: Duration = Duration::from_millis(200);

#[async_trait]
impl RunBackend for World {
    fn address(&self) -> &Address {
        &self.address
    }

    fn injection(&self, fault: &Fault) -> Box<dyn Injection<Self>> {
        nemesis::injection(fault).unwrap_or_else(|reason| Box::new(Impossible(reason)))
    }

    /// Nothing takes any time here but what is said to.
    async fn calibrate(&self) -> Result<Option<(Duration, Duration)>, ServerError> {
        Ok(None)
    }

    async fn steady_sessions(&self, _idle: Duration, onset: Instant) -> Result<Sessions, ServerError> {
        sleep_until(onset - BEFORE).await;
        Ok(self.server().sessions(&self.address.user))
    }

    async fn settled_sessions(
        &self,
        enough: &(dyn Fn(Sessions) -> bool + Send + Sync),
        patience: Duration,
        _idle: Duration,
    ) -> Result<Sessions, ServerError> {
        let deadline = Instant::now() + patience;
        loop {
            self.end_vanished().await?;
            let mut found = self.server().sessions(&self.address.user);
            // What lingers at the other server was leaked too.
            if let Some(beside) = self.beside() {
                let there = beside.sessions(&self.address.user);
                found.open += there.open;
                found.idle_in_transaction += there.idle_in_transaction;
            }
            if enough(found) || Instant::now() >= deadline {
                return Ok(found);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn wait_quiescent(&self, patience: Duration) -> Result<(), Error> {
        self.settled_sessions(&|sessions| sessions.open == 0, patience, Duration::ZERO).await?;
        Ok(())
    }

    async fn ledgers(&self) -> Result<(Option<Ledger>, Ledger), ServerError> {
        Ok((self.beside().map(|beside| beside.ledger()), self.server().ledger()))
    }

    async fn errors(&self) -> Result<BTreeMap<String, u64>, ServerError> {
        let mut errors = BTreeMap::new();
        for (sqlstate, count) in self.servers().flat_map(|server| server.errors(&self.address.user)) {
            *errors.entry(sqlstate).or_default() += count;
        }
        Ok(errors)
    }

    fn messenger(&self) -> Box<dyn Messenger + '_> {
        Box::new(Herald(self))
    }
}

/// Sends notifications by the primary's own hand.
struct Herald<'a>(&'a World);

#[async_trait]
impl Messenger for Herald<'_> {
    async fn send(&mut self, number: u64) -> Result<(), ServerError> {
        let server = self.0.server();
        match server.is_answering() {
            true => {
                server.notify(CHANNEL, &number.to_string());
                Ok(())
            }
            false => Err(ServerError::Sql { doing: "notify".into(), reason: "the server is away".into() }),
        }
    }

    fn begin_anew(&mut self) {}
}

/// A fault that cannot be carried out; `check_simulable` keeps it from being asked for.
struct Impossible(String);

#[async_trait]
impl Injection<World> for Impossible {
    async fn inject(&mut self, _world: &World) -> Result<(), NemesisError> {
        Err(NemesisError::NotInForce(self.0.clone()))
    }

    async fn evidence(&mut self, _world: &World) -> Result<Vec<Evidence>, NemesisError> {
        Ok(Vec::new())
    }
}
