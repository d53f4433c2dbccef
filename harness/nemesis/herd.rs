//! A restart after which everybody comes back at once, and some are faster than the client.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use super::sessions::gone;
use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::fault::StopMode;
use crate::model::history::Evidence;
use crate::server::Session;
use crate::server::bootstrap::OCCUPANT;

/// Longest that somebody who is turned away keeps his slot: the end of a process, on a busy machine.
const LEFT: Duration = Duration::from_millis(50);

/// Between two attempts of one of the herd, which is why it is faster than a client that backs off.
const RUSH: Duration = Duration::from_millis(5);

/// How many of the herd try at once: the server forks one process for each.
const ABREAST: usize = 4;

/// How long the first of the herd stays, and the last; the others leave evenly between them.
pub(crate) const STAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));

/// Longest until every slot is taken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A fast restart, after which a herd of others holds every slot that ordinary roles have. One after the other leaves
/// for good, so that the client gets its slots back one by one.
///
/// The herd is let in first: which of them is faster is chance in reality, and here it must be the herd.
#[derive(Default)]
pub(super) struct Stampede {
    witness: LogWatch,
    sessions: usize,
    /// Who is still there, and since when all of them were.
    herd: Vec<Session>,
    full: Option<Instant>,
    taken: usize,
}

impl Stampede {
    /// Takes slots until the server has no more.
    async fn rush(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let deadline = Instant::now() + PATIENCE;
        let one = || async {
            let mut held = Vec::new();
            loop {
                let role = environment.server().superuser().in_role(OCCUPANT, &environment.address.password);
                match role.connect_within(PATIENCE).await {
                    Ok(session) => held.push(session),
                    Err(refusal) if refusal.sqlstate.as_deref() == Some("53300") => return Ok(held),
                    Err(refusal) if Instant::now() >= deadline => {
                        return Err(NemesisError::NotInForce(format!("slots could not be taken: {}", refusal.text)));
                    }
                    // Not there yet.
                    Err(_) => sleep(RUSH).await,
                }
            }
        };
        for held in join_all((0..ABREAST).map(|_| one())).await {
            self.herd.extend(held?);
        }
        // Somebody who is turned away has a slot until he has left, and may have turned away another for it. So those
        // that are free again are taken one by one, until there is none twice.
        let mut full = 0;
        while full < 2 {
            sleep(LEFT).await;
            let late = one().await?;
            full = if late.is_empty() { full + 1 } else { 0 };
            self.herd.extend(late);
        }
        self.taken = self.herd.len();
        self.full = Some(Instant::now());
        Ok(())
    }
}

#[async_trait]
impl Injection for Stampede {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        self.sessions = environment.gateway.connections();
        environment.server().stop(StopMode::Fast).await?;
        environment.without_server().await?;
        environment.server().start().await?;
        self.rush(environment).await?;
        Ok(environment.admit().await?)
    }

    async fn go_on(&mut self, _environment: &Environment) {
        let Some(full) = self.full else { return };
        while let Some(member) = self.herd.pop() {
            // From the first to the last in even steps.
            let step = (STAY.1 - STAY.0).mul_f64(1.0 - self.herd.len() as f64 / self.taken.max(1) as f64);
            sleep_until(full + STAY.0 + step).await;
            drop(member);
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.herd.clear();
        if self.full.is_none() {
            // It did not get that far: the server may be down.
            environment.server().stop(StopMode::Fast).await.ok();
            environment.start_server().await?;
        }
        let session = environment.server().superuser().connect().await?;
        gone(&session, OCCUPANT).await
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "53300").await?;
        Ok(vec![
            decisive("connections refused with 53300", refused),
            supporting("slots taken by others", self.taken),
            supporting("sessions lost with the server", self.sessions),
        ])
    }
}
