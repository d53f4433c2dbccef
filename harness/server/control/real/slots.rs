//! Fills the connection slots of a real server with sessions of the harness (occupants).

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::sessions::COUNT;
use super::{LOOK_EVERY, PATIENCE, RealServer, not_done};
use crate::server::bootstrap::OCCUPANT;
use crate::server::{ServerError, Session, Superuser};

/// Longest time that a refused session keeps its slot: until its process has ended, on a busy machine.
const LEFT: Duration = Duration::from_millis(50);

/// Pause between two attempts while the server starts. Short, so that occupants connect before a client that backs off.
const RUSH: Duration = Duration::from_millis(5);

/// How many occupants connect at the same time. The server forks a process for each attempt.
const ABREAST: usize = 4;

/// The server's error when there is no slot.
const NO_SLOT: &str = "53300";

impl RealServer {
    /// Returns settings for the role of the occupants, an ordinary role.
    pub(super) fn occupant(&self) -> Superuser {
        self.server.superuser().in_role(OCCUPANT, &self.password)
    }

    /// Fills the slots that ordinary roles can use.
    pub(super) async fn take_ordinary_slots(&self) -> Result<(), ServerError> {
        self.take_all_slots(&self.occupant()).await
    }

    /// Opens sessions of this role until the server has no slot left for it.
    pub(super) async fn take_all_slots(&self, role: &Superuser) -> Result<(), ServerError> {
        loop {
            match role.connect_within(PATIENCE).await {
                Ok(occupant) => self.held().occupants.push(occupant),
                Err(refusal) if refusal.sqlstate.as_deref() == Some(NO_SLOT) => return Ok(()),
                Err(refusal) => return Err(not_done("take a connection slot", refusal.text)),
            }
        }
    }

    /// Opens sessions of occupants as soon as the server accepts them, until it has no slot left; returns them.
    async fn rush_alone(&self, deadline: Instant) -> Result<Vec<Session>, ServerError> {
        let mut held = Vec::new();
        loop {
            match self.occupant().connect_within(PATIENCE).await {
                Ok(session) => held.push(session),
                Err(refusal) if refusal.sqlstate.as_deref() == Some(NO_SLOT) => return Ok(held),
                Err(refusal) if Instant::now() >= deadline => {
                    return Err(not_done("take a connection slot", refusal.text));
                }
                // The server is still starting.
                Err(_) => sleep(RUSH).await,
            }
        }
    }

    /// Fills all slots of a starting server by several loops at once; returns how many occupants there are.
    pub(super) async fn rush(&self) -> Result<usize, ServerError> {
        let deadline = Instant::now() + PATIENCE;
        for held in join_all((0..ABREAST).map(|_| self.rush_alone(deadline))).await {
            self.held().occupants.extend(held?);
        }
        // A refused session keeps a slot until its process has ended, and may have caused another refusal. So free
        // slots are taken again, until two rounds in a row find none.
        let mut full = 0;
        while full < 2 {
            sleep(LEFT).await;
            let late = self.rush_alone(deadline).await?;
            full = if late.is_empty() { full + 1 } else { 0 };
            self.held().occupants.extend(late);
        }
        Ok(self.held().occupants.len())
    }

    /// Waits until no session of the occupants' role is left; sessions of the superuser are not waited for.
    pub(super) async fn wait_for_free_slots(&self, session: &Session) -> Result<(), ServerError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = session.count(COUNT, &[&OCCUPANT]).await?;
            if left == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(not_done("free the connection slots", format!("{left} are still taken")));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}
