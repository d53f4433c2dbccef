//! Sessions ended by an administrator, connection slots taken by others, and a limit on a role's sessions.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::bootstrap::{OCCUPANT, ROLE};
use crate::server::{ServerError, Session, Superuser};

/// Sessions of a role.
const COUNT: &str = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";

/// Ends every session of these roles; returns how many were told.
pub(super) async fn terminate(session: &Session, roles: &[&str]) -> Result<usize, ServerError> {
    const TERMINATE: &str = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
                             WHERE usename::text = ANY($1) AND pid <> pg_backend_pid()";
    session.count(TERMINATE, &[&roles]).await
}

/// Longest that taking every slot, or giving them back, may take.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// The client's sessions ended, and slots taken by others: those for ordinary roles, then perhaps those reserved for
/// superusers, so that the server says "sorry, too many clients already" before it even asks for a password. While
/// reserved slots are free it asks, and says who they are reserved for.
pub(super) struct Exhausting {
    takes_reserved: bool,
    occupants: Vec<Session>,
    /// Opened first: once every slot is taken, nobody else can come in to count and to heal.
    own: Option<Session>,
    ended: usize,
    witness: LogWatch,
}

impl Exhausting {
    /// Takes every slot, or leaves those that are reserved for superusers.
    pub fn new(takes_reserved: bool) -> Exhausting {
        Exhausting { takes_reserved, occupants: Vec::new(), own: None, ended: 0, witness: LogWatch::default() }
    }
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

/// Ends the client's sessions until there are none, and has others take their slots where that is `takes`. Returns how
/// many it ended.
async fn until_none_is_left(
    session: &Session,
    role: &str,
    mut takes: Option<(&Superuser, &mut Vec<Session>)>,
) -> Result<usize, NemesisError> {
    let mut ended = 0;
    let deadline = Instant::now() + PATIENCE;
    loop {
        ended += terminate(session, &[role]).await?;
        if let Some((others, occupants)) = &mut takes {
            // Whatever the client takes again meanwhile is ended in the next round.
            take_all(others, occupants).await?;
        }
        let left = session.count(COUNT, &[&role]).await?;
        if left == 0 {
            return Ok(ended);
        }
        if Instant::now() >= deadline {
            let patience = crate::model::time::show(PATIENCE);
            let reason = format!("the client still holds {left} sessions after {patience}");
            return Err(NemesisError::NotInForce(reason));
        }
        // The server has been told; a session that computes leaves when it next looks.
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a role has no session any more.
pub(super) async fn gone(session: &Session, role: &str) -> Result<(), NemesisError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = session.count(COUNT, &[&role]).await?;
        if left == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(NemesisError::NotInForce(format!("{left} slots are still taken")));
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[async_trait]
impl Injection for Exhausting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let superuser = environment.server().superuser();
        let ordinary = superuser.in_role(OCCUPANT, &environment.address.password);
        let session = self.own.insert(superuser.connect().await?);
        let takes = Some((&ordinary, &mut self.occupants));
        self.ended = until_none_is_left(session, &environment.address.user, takes).await?;
        match self.takes_reserved {
            true => take_all(&superuser, &mut self.occupants).await,
            false => Ok(()),
        }
    }

    async fn heal(&mut self, _environment: &Environment) -> Result<(), NemesisError> {
        self.occupants.clear();
        let Some(session) = self.own.take() else { return Ok(()) };
        gone(&session, OCCUPANT).await
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "53300").await?;
        Ok(vec![decisive("connections refused with 53300", refused), supporting("sessions terminated", self.ended)])
    }
}

/// The client's role may have no session, and those that it had are ended.
///
/// A limit counts for new sessions only: with one above zero the client could keep what it has.
#[derive(Default)]
pub(super) struct LimitingRole {
    ended: usize,
    witness: LogWatch,
}

/// Sets how many sessions the client's role may have; -1 is no limit.
async fn limit(session: &Session, sessions: i32) -> Result<(), ServerError> {
    session.batch(&format!("ALTER ROLE {ROLE} CONNECTION LIMIT {sessions}")).await
}

#[async_trait]
impl Injection for LimitingRole {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let session = environment.server().superuser().connect().await?;
        limit(&session, 0).await?;
        // A sign-in that was under way may not have seen the limit yet: it is ended in the next round.
        self.ended = until_none_is_left(&session, &environment.address.user, None).await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let session = environment.server().superuser().connect().await?;
        Ok(limit(&session, -1).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "53300").await?;
        Ok(vec![decisive("connections refused with 53300", refused), supporting("sessions terminated", self.ended)])
    }
}
