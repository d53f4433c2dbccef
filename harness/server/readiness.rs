//! Waits until a server is ready. A timeout's error carries the last observation.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{ServerError, Superuser};

/// A state of a server to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The server answers a connection with a session or with an error that has a SQLSTATE (57P03 while it starts).
    Answering,
    /// The server runs queries.
    AcceptingQueries,
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Readiness::Answering => "answering",
            Readiness::AcceptingQueries => "accepting queries",
        })
    }
}

/// Interval of polling, which limits the precision of measured times: a restarted local server is ready within 30 ms.
const LOOK_EVERY: Duration = Duration::from_millis(3);

/// Longest wait for one connection attempt.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);

/// Polls until the server is as ready as `wanted`. Calls `superuser` each time, because the address may change.
///
/// *Errors*: [`ServerError::NotReady`] after `within`.
pub(super) async fn wait(
    superuser: impl Fn() -> Superuser,
    wanted: Readiness,
    within: Duration,
) -> Result<(), ServerError> {
    let deadline = Instant::now() + within;
    loop {
        let refusal = match superuser().connect_within(LOOK_PATIENCE).await {
            Ok(session) => match session.batch("SELECT 1").await {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
            Err(refusal) if refusal.sqlstate.is_some() && wanted == Readiness::Answering => return Ok(()),
            Err(refusal) => refusal.text,
        };
        if Instant::now() >= deadline {
            return Err(ServerError::NotReady { wanted, within, last: refusal });
        }
        sleep(LOOK_EVERY).await;
    }
}
