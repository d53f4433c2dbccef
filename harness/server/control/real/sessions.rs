//! Counts, terminates and limits sessions of the client's role on a real server; times round trips of the harness.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::sign_in::AWAY;
use super::{LOOK_EVERY, PATIENCE, RealServer, not_done};
use crate::model::history::Sessions;
use crate::model::time::show;
use crate::server::control::{Probe, SessionControl};
use crate::server::{ServerError, Session};

/// Counts a role's sessions without those of the harness: all, and those idle in a transaction for `$2` seconds.
const SESSIONS: &str = "SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%' \
     AND state_change <= clock_timestamp() - make_interval(secs => $2)) FROM pg_stat_activity \
     WHERE usename = $1 AND application_name <> 'pgsquall' AND backend_type = 'client backend'";

/// Counts a role's sessions, including those that are still signing in and those of the harness.
pub(super) const COUNT: &str = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";

const TERMINATE: &str = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
                         WHERE usename::text = ANY($1) AND pid <> pg_backend_pid()";

impl RealServer {
    /// Terminates every session of the client's role, also while the role is renamed to [`AWAY`]; returns how many.
    pub(super) async fn terminate(&self, session: &Session) -> Result<usize, ServerError> {
        session.count(TERMINATE, &[&[self.user.as_str(), AWAY].as_slice()]).await
    }

    /// Terminates the client's sessions until none is left; returns how many. `takes_slots`: fills the freed slots.
    pub(super) async fn end_all(&self, session: &Session, takes_slots: bool) -> Result<usize, ServerError> {
        let mut ended = 0;
        let deadline = Instant::now() + PATIENCE;
        loop {
            ended += self.terminate(session).await?;
            if takes_slots {
                // If the client takes a slot first, the next round terminates that session.
                self.take_ordinary_slots().await?;
            }
            let left = session.count(COUNT, &[&self.user]).await?;
            if left == 0 {
                return Ok(ended);
            }
            if Instant::now() >= deadline {
                let reason = format!("the client still holds {left} after {}", show(PATIENCE));
                return Err(not_done("end the client's sessions", reason));
            }
            // The sessions have been signalled; one that computes ends when it next checks for interrupts.
            sleep(LOOK_EVERY).await;
        }
    }
}

#[async_trait]
impl SessionControl for RealServer {
    async fn sessions(&self, idle: Duration) -> Result<Sessions, ServerError> {
        let rows = self.session().await?.rows(SESSIONS, &[&self.user, &idle.as_secs_f64()]).await?;
        let count = |column| rows.first().map_or(0, |row| row.get::<_, i64>(column)) as u32;
        Ok(Sessions { open: count(0), idle_in_transaction: count(1) })
    }

    async fn terminate_sessions(&self) -> Result<usize, ServerError> {
        let session = self.session().await?;
        self.terminate(&session).await
    }

    async fn clear_sessions(&self) -> Result<usize, ServerError> {
        let session = self.session().await?;
        self.end_all(&session, false).await
    }

    async fn take_slots(&self, reserved_too: bool) -> Result<usize, ServerError> {
        let session = self.keep_session().await?;
        let ended = self.end_all(&session, true).await?;
        if reserved_too {
            self.take_all_slots(&self.server.superuser()).await?;
        }
        Ok(ended)
    }

    async fn rush_slots(&self) -> Result<usize, ServerError> {
        self.rush().await
    }

    fn leave_slot(&self) {
        let leaver = self.held().occupants.pop();
        drop(leaver);
    }

    async fn give_back_slots(&self) -> Result<(), ServerError> {
        let occupants = std::mem::take(&mut self.held().occupants);
        drop(occupants);
        let session = self.session().await?;
        self.end_kept_session();
        self.wait_for_free_slots(&session).await
    }

    async fn limit_role(&self, sessions: Option<u32>) -> Result<(), ServerError> {
        // -1 means no limit.
        let limit = sessions.map_or(-1, i64::from);
        let session = self.session().await?;
        session.batch(&format!("ALTER ROLE {} CONNECTION LIMIT {limit}", self.user)).await
    }

    async fn probe(&self) -> Result<Box<dyn Probe>, ServerError> {
        Ok(Box::new(self.server.superuser().connect().await?))
    }
}

#[async_trait]
impl Probe for Session {
    async fn round_trip(&self) -> Result<Duration, ServerError> {
        let began = Instant::now();
        self.batch("").await?;
        Ok(began.elapsed())
    }
}
