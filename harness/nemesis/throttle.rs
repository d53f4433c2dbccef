//! A server that gets only a share of a processor, most of which another session's query takes.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{Injection, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::fault::Share;
use crate::model::history::Evidence;
use crate::model::time::show;
use crate::server::control::Probe;

/// Number of round trips before the fault, whose median is the usual time.
const BEFORE: usize = 21;

/// A round trip is slow from this multiple of the usual time on…
const TIMES: u32 = 10;

/// …and never below this, because a busy machine takes as long now and then.
const SLOW: Duration = Duration::from_millis(20);

/// Pause between two round trips.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The server is throttled until heal. Round trips of the harness, beside the client's, measure how slow it is.
pub(super) struct Throttling {
    share: Share,
    probe: Option<Box<dyn Probe>>,
    usual: Duration,
    looks: usize,
    /// Number of slow round trips while the client had connections, and the time of the slowest of all.
    slow: usize,
    slowest: Duration,
}

impl Throttling {
    pub fn new(share: Share) -> Throttling {
        let (usual, slowest) = (Duration::ZERO, Duration::ZERO);
        Throttling { share, probe: None, usual, looks: 0, slow: 0, slowest }
    }

    /// Returns the time from which on a round trip is slow.
    fn slow_from(&self) -> Duration {
        SLOW.max(self.usual * TIMES)
    }
}

#[async_trait]
impl Injection for Throttling {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let probe = environment.server().probe().await?;
        let mut times = Vec::with_capacity(BEFORE);
        for _ in 0..BEFORE {
            times.push(probe.round_trip().await?);
        }
        times.sort_unstable();
        self.usual = times[BEFORE / 2];
        self.probe = Some(probe);
        Ok(environment.server().throttle(self.share).await?)
    }

    async fn go_on(&mut self, environment: &Environment) {
        let slow_from = self.slow_from();
        let Some(probe) = &self.probe else { return std::future::pending().await };
        loop {
            sleep(LOOK_EVERY).await;
            let there = environment.gateway.connections() > 0;
            let began = Instant::now();
            // A failed round trip counts with the time until it failed, at most its own deadline.
            let took = probe.round_trip().await.unwrap_or_else(|_| began.elapsed());
            self.looks += 1;
            self.slowest = self.slowest.max(took);
            self.slow += usize::from(there && took >= slow_from);
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.server().unthrottle().await?;
        self.probe = None;
        Ok(())
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let [usual, slowest, slow] = [self.usual, self.slowest, self.slow_from()].map(show);
        Ok(vec![
            decisive(&format!("round trips of {slow} or more beside the client's connections"), self.slow),
            supporting(&format!("round trips (usually {usual}; the slowest took {slowest})"), self.looks),
        ])
    }
}
