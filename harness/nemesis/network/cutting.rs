//! Connections ended, once or at regular intervals.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{MissedTickBehavior, interval};

use super::super::{HasGateway, Injection, NemesisError, decisive, supporting};
use crate::gateway::Cut;
use crate::model::history::Evidence;

/// FIN or RST on every open connection of the client's first address.
pub(crate) struct Cutting {
    cut: Cut,
    /// Interval between repetitions until heal; `None`: once.
    every: Option<Duration>,
    rounds: usize,
    ended: usize,
}

impl Cutting {
    pub fn new(cut: Cut, every: Option<Duration>) -> Cutting {
        Cutting { cut, every, rounds: 0, ended: 0 }
    }
}

#[async_trait]
impl<E: HasGateway + ?Sized> Injection<E> for Cutting {
    async fn inject(&mut self, environment: &E) -> Result<(), NemesisError> {
        self.rounds += 1;
        self.ended += environment.gateway().cut(self.cut).await;
        Ok(())
    }

    async fn go_on(&mut self, environment: &E) {
        let Some(every) = self.every else { return std::future::pending().await };
        let mut rounds = interval(every);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is immediate; `inject` has done its round.
        rounds.tick().await;
        loop {
            rounds.tick().await;
            self.rounds += 1;
            self.ended += environment.gateway().cut(self.cut).await;
        }
    }

    async fn evidence(&mut self, _environment: &E) -> Result<Vec<Evidence>, NemesisError> {
        let what = match self.cut {
            Cut::Close => "sockets closed",
            Cut::Reset => "sockets reset",
        };
        let mut found = vec![decisive(what, self.ended)];
        if self.every.is_some() {
            found.push(supporting("rounds", self.rounds));
        }
        Ok(found)
    }
}
