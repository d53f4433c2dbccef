//! A server that gets only a share of a processor, and somebody whose query takes most of that.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::{Injection, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::environment::START_PATIENCE;
use crate::model::fault::Share;
use crate::model::history::Evidence;
use crate::model::time::show;
use crate::server::{Readiness, ServerError, Session};

/// Somebody's large query: minutes of computing, without anything on disk.
const HOG: &str = "SELECT count(*) FROM generate_series(1, 30000) AS a, generate_series(1, 30000) AS b";

/// Round trips from which the usual one is known.
const BEFORE: usize = 21;

/// A round trip is slow from so many times the usual one on…
const TIMES: u32 = 10;

/// …and never below this, which a busy machine takes now and then.
pub(crate) const SLOW: Duration = Duration::from_millis(20);

/// Between two round trips.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The server throttled until heal. Round trips of the harness's own, beside the client's, tell how slow it is.
pub(super) struct Throttling {
    share: Share,
    session: Option<Session>,
    hog: Option<(AbortOnDropHandle<()>, i32)>,
    usual: Duration,
    looks: usize,
    /// Slow ones while the client had connections, and the slowest.
    slow: usize,
    slowest: Duration,
}

impl Throttling {
    pub fn new(share: Share) -> Throttling {
        let (usual, slowest) = (Duration::ZERO, Duration::ZERO);
        Throttling { share, session: None, hog: None, usual, looks: 0, slow: 0, slowest }
    }

    /// From when on a round trip is slow.
    fn slow_from(&self) -> Duration {
        SLOW.max(self.usual * TIMES)
    }
}

async fn round_trip(session: &Session) -> Result<Duration, ServerError> {
    let began = Instant::now();
    session.batch("").await?;
    Ok(began.elapsed())
}

#[async_trait]
impl Injection for Throttling {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let session = environment.server().superuser().connect().await?;
        let mut times = Vec::with_capacity(BEFORE);
        for _ in 0..BEFORE {
            times.push(round_trip(&session).await?);
        }
        times.sort_unstable();
        self.usual = times[BEFORE / 2];
        let hungry = environment.server().superuser().connect().await?;
        hungry.batch("SET jit = off; SET max_parallel_workers_per_gather = 0").await?;
        let pid = hungry.value("SELECT pg_backend_pid()", &[]).await?.unwrap_or_default();
        let query = tokio::spawn(async move {
            // Ended from outside, which is an error of no interest.
            let _ = hungry.batch(HOG).await;
        });
        self.hog = Some((AbortOnDropHandle::new(query), pid));
        self.session = Some(session);
        Ok(environment.server().throttle(self.share).await?)
    }

    async fn go_on(&mut self, environment: &Environment) {
        let slow_from = self.slow_from();
        let Some(session) = &self.session else { return std::future::pending().await };
        loop {
            sleep(LOOK_EVERY).await;
            let there = environment.gateway.connections() > 0;
            let began = Instant::now();
            // One that failed has taken as long as it took, its own deadline at most.
            let took = round_trip(session).await.unwrap_or_else(|_| began.elapsed());
            self.looks += 1;
            self.slowest = self.slowest.max(took);
            self.slow += usize::from(there && took >= slow_from);
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.server().unthrottle().await?;
        environment.server().wait(Readiness::AcceptingQueries, START_PATIENCE).await?;
        if let Some((query, pid)) = self.hog.take() {
            let session = environment.server().superuser().connect().await?;
            session.rows("SELECT pg_terminate_backend($1)", &[&pid]).await?;
            drop(query);
        }
        self.session = None;
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
