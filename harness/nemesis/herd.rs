//! A restart after which many other clients connect at once, before the client under test.
//!
//! The gateway accepts the client only after the herd has every slot: in reality chance decides who is faster, and
//! the scenario is about a client that is not.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::fault::StopMode;
use crate::model::history::Evidence;

/// How long the first session of the herd stays, and the last; the others end at even intervals between.
const STAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));

/// A fast restart, after which other sessions hold every slot for ordinary roles. They end one by one, so that the
/// client gets its slots back one by one. Once the last has ended, the fault is healed, even before its time.
#[derive(Default)]
pub(super) struct ThunderingHerd {
    log: LogWatch,
    sessions: usize,
    /// When the herd had every slot, and how many slots these are.
    full: Option<Instant>,
    taken: usize,
}

#[async_trait]
impl Injection for ThunderingHerd {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        self.sessions = environment.gateway.connections();
        environment.server().stop(StopMode::Fast).await?;
        environment.refuse().await?;
        environment.server().start().await?;
        self.taken = environment.server().rush_slots().await?;
        self.full = Some(Instant::now());
        Ok(environment.admit().await?)
    }

    async fn go_on(&mut self, environment: &Environment) {
        let Some(full) = self.full else { return };
        for left in (0..self.taken).rev() {
            // The first leaves after `STAY.0`, the last after `STAY.1`.
            let step = (STAY.1 - STAY.0).mul_f64(1.0 - left as f64 / self.taken as f64);
            sleep_until(full + STAY.0 + step).await;
            environment.server().leave_slot();
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        if self.full.is_none() {
            // The injection failed, so the server may be down.
            environment.server().stop(StopMode::Fast).await.ok();
            environment.start_server().await?;
        }
        Ok(environment.server().give_back_slots().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.log.count_errors(environment, "53300").await?;
        Ok(vec![
            decisive("connections refused with 53300", refused),
            supporting("slots taken by others", self.taken),
            supporting("sessions lost with the server", self.sessions),
        ])
    }
}
