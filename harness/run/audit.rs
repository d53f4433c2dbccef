//! Queries the server directly, not through the gateway: sessions, ledger, and the time of a round trip.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::environment::Environment;
use crate::model::history::Sessions;
use crate::model::topology::SslMode;
use crate::server::bootstrap::{LEDGER, OCCUPANT};
use crate::server::{Server, ServerError, Session, Superuser};

/// Round trips from which a median is taken: 51 of some 50 µs each.
const ROUND_TRIPS: usize = 51;

/// Longest until the gateway drops the harness's own closed connection: a task's turn, on a busy machine.
const LEFT_WITHIN: Duration = Duration::from_secs(2);

/// Interval of polling.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Medians of a round trip without load and without fault: direct, and through the gateway.
pub(crate) async fn calibrate(environment: &Environment) -> Result<(Duration, Duration), ServerError> {
    // With the client's own credentials, or, if those need TLS, with those of another ordinary role. A middlebox before
    // the server is in both paths, so that their difference is the gateway.
    let encrypted = environment.layout.sslmode == SslMode::VerifyFull;
    let person = |place| {
        let client = Superuser::new(environment.address.at(place));
        if encrypted { client.in_role(OCCUPANT, &environment.address.password) } else { client }
    };
    let direct = median_round_trip(person(environment.behind_gateway()).connect().await?).await?;
    let stream = environment
        .dial()
        .await
        .map_err(|error| ServerError::Control { doing: "reach through the gateway", reason: error.to_string() })?;
    let gateway = median_round_trip(person(environment.gateway.address()).connect_over(stream).await?).await?;
    // A fault that starts before the client must not mistake the harness's connection for one of the client's.
    let deadline = Instant::now() + LEFT_WITHIN;
    while environment.gateway.connections() > 0 && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
    Ok((direct, gateway))
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

/// The client's sessions: at the server, or at a pooler in front of it, because the pooler keeps its own server
/// sessions after the client has left. A transaction in a pooler's server session is always a client's.
///
/// A session that is idle in a transaction is counted once that has lasted for `idle`.
async fn sessions(session: &Session, environment: &Environment, idle: Duration) -> Result<Sessions, ServerError> {
    let found = at_server(session, environment, idle).await?;
    let pool = environment.middlebox.as_ref().filter(|middlebox| middlebox.program().pools_sessions());
    Ok(match pool {
        Some(_) => Sessions { open: environment.gateway.connections() as u32, ..found },
        None => found,
    })
}

/// Sessions of the client's role at the server, without the harness's own.
async fn at_server(session: &Session, environment: &Environment, idle: Duration) -> Result<Sessions, ServerError> {
    let rows = session
        .rows(
            "SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%' \
             AND state_change <= clock_timestamp() - make_interval(secs => $2)) FROM pg_stat_activity \
             WHERE usename = $1 AND application_name <> 'pgsquall' AND backend_type = 'client backend'",
            &[&environment.address.user, &idle.as_secs_f64()],
        )
        .await?;
    let count = |column| rows.first().map_or(0, |row| row.get::<_, i64>(column)) as u32;
    Ok(Sessions { open: count(0), idle_in_transaction: count(1) })
}

/// The client's sessions in the steady state, counted early and again shortly before the first fault. The later count
/// is used, unless a fault overtakes it on a busy machine.
pub(crate) async fn steady_sessions(
    environment: &Environment,
    idle: Duration,
    onset: Instant,
) -> Result<Sessions, ServerError> {
    const BEFORE: Duration = Duration::from_millis(200);
    let session = environment.server().superuser().connect().await?;
    let early = sessions(&session, environment, idle).await?;
    sleep_until(onset - BEFORE).await;
    let late = timeout_at(onset, sessions(&session, environment, idle)).await;
    Ok(late.ok().and_then(Result::ok).unwrap_or(early))
}

/// Waits until the client has few enough sessions, or patience ends; returns the last count.
pub(crate) async fn settled_sessions(
    environment: &Environment,
    enough: &(dyn Fn(Sessions) -> bool + Send + Sync),
    patience: Duration,
    idle: Duration,
) -> Result<Sessions, ServerError> {
    let session = environment.server().superuser().connect().await?;
    let beside = match environment.beside() {
        Some(server) => Some(server.superuser().connect().await?),
        None => None,
    };
    let deadline = Instant::now() + patience;
    loop {
        vanish(environment).await?;
        let mut found = sessions(&session, environment, idle).await?;
        // Sessions left at the other server are leaks too.
        if let Some(beside) = &beside {
            let there = at_server(beside, environment, idle).await?;
            found.open += there.open;
            found.idle_in_transaction += there.idle_in_transaction;
        }
        if enough(found) || Instant::now() >= deadline {
            return Ok(found);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Waits until no server has a session of the client's role, or patience ends.
pub(crate) async fn wait_quiescent(environment: &Environment, patience: Duration) -> Result<(), ServerError> {
    let deadline = Instant::now() + patience;
    for server in [Some(environment.server()), environment.beside()].into_iter().flatten() {
        let session = server.superuser().connect().await?;
        while at_server(&session, environment, Duration::ZERO).await?.open > 0 && Instant::now() < deadline {
            vanish(environment).await?;
            sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

/// Ends connections that the client has closed without its FIN arriving: the client no longer holds them.
async fn vanish(environment: &Environment) -> Result<(), ServerError> {
    let failed = |error: std::io::Error| ServerError::Control {
        doing: "end closed connections of the client at",
        reason: error.to_string(),
    };
    environment.end_vanished().await.map_err(failed)
}

/// Everything in the primary's ledger, as runs `(first key, last key, copies)`.
pub(crate) async fn ledger(environment: &Environment) -> Result<Vec<(i64, i64, u64)>, ServerError> {
    ledger_of(environment.server(), environment).await
}

/// The ledger of the server beside the primary; `None` if there is only one server.
pub(crate) async fn ledger_beside(environment: &Environment) -> Result<Option<Vec<(i64, i64, u64)>>, ServerError> {
    match environment.beside() {
        Some(server) => Ok(Some(ledger_of(server, environment).await?)),
        None => Ok(None),
    }
}

async fn ledger_of(server: &dyn Server, environment: &Environment) -> Result<Vec<(i64, i64, u64)>, ServerError> {
    let session = server.superuser().in_database(&environment.address.database).connect().await?;
    let counts = format!("SELECT id, count(*) FROM {LEDGER} GROUP BY id ORDER BY id");
    let rows = session.rows(&counts, &[]).await?;
    Ok(runs(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1) as u64))))
}

/// Joins neighbouring keys with the same number of copies.
fn runs(keys: impl Iterator<Item = (i64, u64)>) -> Vec<(i64, i64, u64)> {
    let mut runs: Vec<(i64, i64, u64)> = Vec::new();
    for (key, copies) in keys {
        match runs.last_mut() {
            Some((_, last, same)) if *last + 1 == key && *same == copies => *last = key,
            _ => runs.push((key, key, copies)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_keys_with_equal_counts_are_joined() {
        let keys = [(1, 1), (2, 1), (4, 1), (5, 2), (6, 2), (7, 1)];
        assert_eq!(runs(keys.into_iter()), [(1, 2, 1), (4, 4, 1), (5, 6, 2), (7, 7, 1)]);
    }
}
