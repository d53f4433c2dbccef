//! A restart after which everybody comes back at once, and some are faster than the client.

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use super::World;
use crate::model::fault::StopMode;
use crate::model::history::Evidence;
use crate::nemesis::{Injection, NemesisError, STAY, decisive, supporting};

/// A fast restart, after which others hold every slot that ordinary roles have. One after the other leaves for good.
#[derive(Default)]
pub(super) struct Stampede {
    before: usize,
    sessions: usize,
    taken: usize,
    full: Option<Instant>,
}

#[async_trait]
impl Injection<World> for Stampede {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.before = world.refused("53300");
        self.sessions = world.gateway.connections();
        world.server().stop(StopMode::Fast).await?;
        world.without_server().await?;
        world.server().restart().await?;
        self.taken = world.server().occupy_ordinary();
        self.full = Some(Instant::now());
        world.admit().await
    }

    async fn go_on(&mut self, world: &World) {
        let Some(full) = self.full else { return };
        for left in (0..self.taken).rev() {
            // From the first to the last in even steps.
            let step = (STAY.1 - STAY.0).mul_f64(1.0 - left as f64 / self.taken as f64);
            sleep_until(full + STAY.0 + step).await;
            world.server().vacate_one();
        }
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        world.server().vacate();
        match self.full {
            Some(_) => Ok(()),
            // It did not get that far: the server may be down.
            None => world.start_server().await,
        }
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![
            decisive("connections refused with 53300", world.refused("53300") - self.before),
            supporting("slots taken by others", self.taken),
            supporting("sessions lost with the server", self.sessions),
        ])
    }
}
