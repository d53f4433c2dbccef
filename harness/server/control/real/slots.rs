//! Connection slots of a real server, taken by others.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::sessions::COUNT;
use super::{LOOK_EVERY, PATIENCE, RealServer, not_done};
use crate::server::bootstrap::OCCUPANT;
use crate::server::{ServerError, Session, Superuser};

/// Longest that a session which is turned away keeps its slot: the end of a process, on a busy machine.
const LEFT: Duration = Duration::from_millis(50);

/// Between two attempts of one of a herd, which is why it is faster than a client that backs off.
const RUSH: Duration = Duration::from_millis(5);

/// How many of a herd try at once: the server forks one process for each.
const ABREAST: usize = 4;

/// The server's error when there is no slot.
const NO_SLOT: &str = "53300";

impl RealServer {
    /// An ordinary role beside the client's.
    pub(super) fn occupant(&self) -> Superuser {
        self.server.superuser().in_role(OCCUPANT, &self.password)
    }

    pub(super) async fn take_ordinary_slots(&self) -> Result<(), ServerError> {
        self.take_all_slots(&self.occupant()).await
    }

    /// Opens sessions until the server has no more for this role.
    pub(super) async fn take_all_slots(&self, role: &Superuser) -> Result<(), ServerError> {
        loop {
            match role.connect_within(PATIENCE).await {
                Ok(occupant) => self.held().occupants.push(occupant),
                Err(refusal) if refusal.sqlstate.as_deref() == Some(NO_SLOT) => return Ok(()),
                Err(refusal) => return Err(not_done("take a connection slot", refusal.text)),
            }
        }
    }

    /// Opens sessions of an ordinary role as soon as the server is there, until it has no more.
    async fn rush_alone(&self, deadline: Instant) -> Result<Vec<Session>, ServerError> {
        let mut held = Vec::new();
        loop {
            match self.occupant().connect_within(PATIENCE).await {
                Ok(session) => held.push(session),
                Err(refusal) if refusal.sqlstate.as_deref() == Some(NO_SLOT) => return Ok(held),
                Err(refusal) if Instant::now() >= deadline => {
                    return Err(not_done("take a connection slot", refusal.text));
                }
                // Not there yet.
                Err(_) => sleep(RUSH).await,
            }
        }
    }

    pub(super) async fn rush(&self) -> Result<usize, ServerError> {
        let deadline = Instant::now() + PATIENCE;
        for held in join_all((0..ABREAST).map(|_| self.rush_alone(deadline))).await {
            self.held().occupants.extend(held?);
        }
        // A session that is turned away has a slot until it has left, and may have turned away another for it. So the
        // slots that are free again are taken one by one, until there is none twice.
        let mut full = 0;
        while full < 2 {
            sleep(LEFT).await;
            let late = self.rush_alone(deadline).await?;
            full = if late.is_empty() { full + 1 } else { 0 };
            self.held().occupants.extend(late);
        }
        Ok(self.held().occupants.len())
    }

    /// Waits until the others have left.
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
