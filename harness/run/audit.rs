//! Reads sessions, ledgers and errors from the servers directly, not through the gateway; measures round trips.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::environment::Environment;
use crate::error::Error;
use crate::model::history::Sessions;
use crate::model::topology::SslMode;
use crate::server::bootstrap::OCCUPANT;
use crate::server::control::Ledger;
use crate::server::{ServerError, Session, Superuser};

/// The number of round trips of a median; each takes some 50 µs.
const ROUND_TRIPS: usize = 51;

/// The maximum wait for the harness's own connection to leave the gateway: the turn of one task, on a busy machine.
const LEFT_WITHIN: Duration = Duration::from_secs(2);

/// Interval of polling.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Returns the median round trip without load and without fault: direct, and through the gateway. `None` in a
/// simulation, in which only the simulated wire takes time.
///
/// *Errors*: the server or the gateway cannot be reached, or a round trip fails.
pub(crate) async fn calibrate(environment: &Environment) -> Result<Option<(Duration, Duration)>, ServerError> {
    if environment.simulated.is_some() {
        return Ok(None);
    }
    // Uses the client's credentials, or those of another ordinary role if the client's need TLS. A middlebox is in both
    // paths, so that the difference is the gateway.
    let encrypted = environment.layout.sslmode == SslMode::VerifyFull;
    let role = |place| {
        let client = Superuser::new(environment.address.at(place));
        if encrypted { client.in_role(OCCUPANT, &environment.address.password) } else { client }
    };
    let direct = median_round_trip(role(environment.behind_gateway()).connect().await?).await?;
    let stream = environment
        .dial()
        .await
        .map_err(|error| ServerError::Control { doing: "reach through the gateway", reason: error.to_string() })?;
    let gateway = median_round_trip(role(environment.gateway.address()).connect_over(stream).await?).await?;
    // A fault that precedes the client must not count the harness's connection as one of the client's.
    let deadline = Instant::now() + LEFT_WITHIN;
    while environment.gateway.connections() > 0 && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
    Ok(Some((direct, gateway)))
}

async fn median_round_trip(session: Session) -> Result<Duration, ServerError> {
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let began = Instant::now();
        session.batch("").await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[ROUND_TRIPS / 2])
}

/// Returns the client's sessions at the server. Behind a middlebox that pools sessions, `open` counts the client's
/// connections at the gateway instead, because the pool keeps sessions at the server after the client has left.
///
/// A session counts as idle in a transaction once it has been so for `idle`.
async fn sessions(environment: &Environment, idle: Duration) -> Result<Sessions, ServerError> {
    let found = environment.server().sessions(idle).await?;
    let pool = environment.middlebox.as_ref().filter(|middlebox| middlebox.program().pools_sessions());
    Ok(match pool {
        Some(_) => Sessions { open: environment.gateway.connections() as u32, ..found },
        None => found,
    })
}

/// Counts the client's sessions now, and again shortly before the first fault at `onset`. Returns the later count, or
/// the earlier one if the later is not complete at `onset`.
pub(crate) async fn steady_sessions(
    environment: &Environment,
    idle: Duration,
    onset: Instant,
) -> Result<Sessions, ServerError> {
    const BEFORE: Duration = Duration::from_millis(200);
    let early = sessions(environment, idle).await?;
    sleep_until(onset - BEFORE).await;
    let late = timeout_at(onset, sessions(environment, idle)).await;
    Ok(late.ok().and_then(Result::ok).unwrap_or(early))
}

/// Counts the client's sessions until they are few enough, or `patience` has passed; returns the last count.
pub(crate) async fn settled_sessions(
    environment: &Environment,
    enough: impl Fn(Sessions) -> bool,
    patience: Duration,
    idle: Duration,
    count_every: Duration,
) -> Result<Sessions, ServerError> {
    let deadline = Instant::now() + patience;
    loop {
        end_vanished(environment).await?;
        let mut found = sessions(environment, idle).await?;
        // A session that remains at the other server is leaked too.
        if let Some(beside) = environment.beside() {
            let there = beside.sessions(idle).await?;
            found.open += there.open;
            found.idle_in_transaction += there.idle_in_transaction;
        }
        if enough(found) || Instant::now() >= deadline {
            return Ok(found);
        }
        sleep(count_every).await;
    }
}

/// Waits until no server has a session of the client's role, or `patience` has passed.
pub(crate) async fn wait_quiescent(
    environment: &Environment,
    patience: Duration,
    count_every: Duration,
) -> Result<(), Error> {
    // Sessions that the client has given up may still write.
    environment.clear_path().await?;
    let deadline = Instant::now() + patience;
    for server in [Some(environment.server()), environment.beside()].into_iter().flatten() {
        while server.sessions(Duration::ZERO).await?.open > 0 && Instant::now() < deadline {
            end_vanished(environment).await?;
            sleep(count_every).await;
        }
    }
    Ok(())
}

/// Ends connections at the gateway that the client has closed while packets were lost; the client no longer holds them.
async fn end_vanished(environment: &Environment) -> Result<(), ServerError> {
    let failed = |error: std::io::Error| ServerError::Control {
        doing: "end closed connections of the client at",
        reason: error.to_string(),
    };
    environment.end_vanished().await.map_err(failed)
}

/// Reads the ledger of the server beside the primary, if there is one, and that of the primary.
pub(crate) async fn ledgers(environment: &Environment) -> Result<(Option<Ledger>, Ledger), ServerError> {
    let beside = match environment.beside() {
        Some(beside) => Some(beside.ledger().await?),
        None => None,
    };
    // The primary last, so that a row that was still being replicated to it is found.
    Ok((beside, environment.server().ledger().await?))
}

/// Counts the errors that the servers have sent to the client's role, by SQLSTATE.
pub(crate) async fn errors(environment: &Environment) -> Result<BTreeMap<String, u64>, ServerError> {
    let mut errors = BTreeMap::new();
    for line in environment.log_of_client().await?.into_iter().filter(|line| line.sqlstate != "00000") {
        *errors.entry(line.sqlstate).or_default() += 1;
    }
    Ok(errors)
}
