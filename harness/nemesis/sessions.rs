//! Sessions ended by an administrator, and connection slots taken by others.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{Injection, NemesisError, Witness, decisive, supporting};
use crate::environment::Environment;
use crate::environment::preparation::OCCUPANT;
use crate::environment::server::{ServerError, Session, Superuser};
use crate::history::Evidence;

/// Sessions of a role.
const COUNT: &str = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";

/// Ends every session of these roles; returns how many were told.
pub(super) async fn terminate(session: &Session, roles: &[&str]) -> Result<usize, ServerError> {
    const TERMINATE: &str = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
                             WHERE usename::text = ANY($1) AND pid <> pg_backend_pid()";
    let rows = session.rows(TERMINATE, &[&roles]).await?;
    Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0)) as usize)
}

/// Longest that taking every slot, or giving them back, may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn count(session: &Session, sql: &str, role: &str) -> Result<usize, ServerError> {
    let rows = session.rows(sql, &[&role]).await?;
    Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0)) as usize)
}

/// `pg_terminate_backend` on every session of the client.
#[derive(Default)]
pub(super) struct Terminating {
    ended: usize,
}

#[async_trait]
impl Injection for Terminating {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let session = environment.server().superuser().connect().await?;
        self.ended = terminate(&session, &[&environment.address.user]).await?;
        Ok(())
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![decisive("sessions terminated", self.ended)])
    }
}

/// The client's sessions ended, and every slot taken by others: those for ordinary roles, then those reserved for
/// superusers, so that the server says "sorry, too many clients already" before it even asks for a password.
#[derive(Default)]
pub(super) struct Exhausting {
    occupants: Vec<Session>,
    /// Opened first: once every slot is taken, nobody else can come in to count and to heal.
    own: Option<Session>,
    ended: usize,
    witness: Witness,
}

/// Opens sessions until the server has no more for this role.
async fn take_all(role: &Superuser, occupants: &mut Vec<Session>) -> Result<(), NemesisError> {
    loop {
        match role.connect_within(PATIENCE).await {
            Ok(occupant) => occupants.push(occupant),
            Err(refusal) if refusal.sqlstate.as_deref() == Some("53300") => return Ok(()),
            Err(refusal) => return Err(NemesisError::NotInForce(refusal.text)),
        }
    }
}

#[async_trait]
impl Injection for Exhausting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let superuser = environment.server().superuser();
        let ordinary = superuser.in_role(OCCUPANT, &environment.address.password);
        let session = self.own.insert(superuser.connect().await?);
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.ended += terminate(session, &[&environment.address.user]).await?;
            // Whatever the client takes again meanwhile is ended in the next round.
            take_all(&ordinary, &mut self.occupants).await?;
            let left = count(session, COUNT, &environment.address.user).await?;
            if left == 0 {
                break;
            }
            if Instant::now() >= deadline {
                return Err(NemesisError::NotInForce(format!(
                    "the client still holds {left} sessions after {}",
                    crate::time::show(PATIENCE)
                )));
            }
        }
        take_all(&superuser, &mut self.occupants).await
    }

    async fn heal(&mut self, _environment: &Environment) -> Result<(), NemesisError> {
        self.occupants.clear();
        let Some(session) = self.own.take() else { return Ok(()) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = count(&session, COUNT, OCCUPANT).await?;
            if left == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(NemesisError::NotInForce(format!("{left} slots are still taken")));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "53300").await?;
        Ok(vec![decisive("connections refused with 53300", refused), supporting("sessions terminated", self.ended)])
    }
}
