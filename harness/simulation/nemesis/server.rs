//! Faults of the simulated server: it ends, stands still, crashes, and comes back; its slots are taken.
//!
//! What is seen and counted is what the real nemesis sees and counts, so that the evidence reads the same.

use std::time::Duration;

use async_trait::async_trait;

use super::World;
use crate::gateway::Cut;
use crate::model::fault::{ServerTimeout, StopMode};
use crate::model::history::Evidence;
use crate::nemesis::{End, Injection, NemesisError, decisive, supporting};

/// Longest that a smart shutdown may take once everybody has been told to leave.
const END_WITHIN: Duration = Duration::from_secs(20);

/// A server that ends, is away for a while, and is started again.
pub(super) struct Restarting {
    end: End,
    sessions: usize,
}

impl Restarting {
    pub fn new(end: End) -> Restarting {
        Restarting { end, sessions: 0 }
    }
}

#[async_trait]
impl Injection<World> for Restarting {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.sessions = world.gateway.connections();
        match self.end {
            End::Stop(mode) => world.server().stop(mode).await?,
            End::Kill => world.server().kill().await?,
        }
        // Where nobody listens, a host refuses; until here the server spoke for itself (57P03 "shutting down").
        world.without_server().await
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        world.start_server().await
    }

    async fn evidence(&mut self, _world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let what = match self.end {
            End::Kill => "server ended (killed)",
            End::Stop(StopMode::Smart) => "smart shutdown logged",
            End::Stop(StopMode::Fast) => "fast shutdown logged",
            End::Stop(StopMode::Immediate) => "immediate shutdown logged",
        };
        Ok(vec![decisive("sessions lost with the server", self.sessions), supporting(what, 1)])
    }
}

/// A smart shutdown: whoever is in may stay, nobody else comes in, and the server ends with its last session.
#[derive(Default)]
pub(super) struct SmartRestart {
    before: usize,
    stayed: usize,
    ended: usize,
}

#[async_trait]
impl Injection<World> for SmartRestart {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.before = world.refused("57P03");
        world.server().request_stop(StopMode::Smart);
        let open = world.gateway.connections();
        self.ended = world.gateway.cut_half(Cut::Close).await;
        self.stayed = open.saturating_sub(self.ended);
        Ok(())
    }

    async fn go_on(&mut self, world: &World) {
        if world.server().ended(Duration::MAX).await.is_ok() {
            // Nobody listens from now on; what fails here is seen again on heal.
            let _ = world.without_server().await;
        }
        std::future::pending().await
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        world.gateway.cut(Cut::Close).await;
        if world.server().ended(END_WITHIN).await.is_err() {
            // Somebody stays: told to go, since healing is what matters now.
            world.server().stop(StopMode::Fast).await?;
        }
        world.without_server().await?;
        world.start_server().await
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![
            decisive("connections refused with 57P03", world.refused("57P03") - self.before),
            supporting("connections that were left alone", self.stayed),
            supporting("connections closed", self.ended),
        ])
    }
}

/// A server that stands still: its kernel takes connections in, and nothing answers.
#[derive(Default)]
pub(super) struct Freezing {
    sessions: usize,
}

#[async_trait]
impl Injection<World> for Freezing {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.sessions = world.gateway.connections();
        world.server().freeze();
        Ok(())
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        world.server().thaw();
        Ok(world.server().ready().await?)
    }

    async fn evidence(&mut self, _world: &World) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![decisive("sessions frozen with the server", self.sessions)])
    }
}

/// A backend dies, and takes every session with it. `is_held`: recovery takes until heal.
pub(super) struct Crashing {
    is_held: bool,
    sessions: usize,
    before: usize,
}

impl Crashing {
    pub fn new(is_held: bool) -> Crashing {
        Crashing { is_held, sessions: 0, before: 0 }
    }
}

#[async_trait]
impl Injection<World> for Crashing {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        (self.before, self.sessions) = (world.refused("57P03"), world.gateway.connections());
        match self.is_held {
            true => Ok(world.server().crash_into_recovery().await?),
            false => match world.server().crash_backend(&world.address.user).await? {
                true => Ok(()),
                false => Err(NemesisError::NotInForce("the client has no session at the server".into())),
            },
        }
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        match self.is_held {
            true => Ok(world.server().release_recovery().await?),
            false => Ok(world.server().ready().await?),
        }
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let (refused, sessions) = ("connections refused with 57P03", "sessions lost in the crash");
        let count = world.refused("57P03") - self.before;
        Ok(match self.is_held {
            true => vec![decisive(refused, count), supporting(sessions, self.sessions)],
            false => vec![decisive(sessions, self.sessions), supporting(refused, count)],
        })
    }
}

/// A timeout of the server's own, for the client's role alone. A session takes it over when it begins: it is set before
/// the client starts.
pub(super) struct TimingOut {
    timeout: ServerTimeout,
    after: Duration,
    before: usize,
}

impl TimingOut {
    pub fn new(timeout: ServerTimeout, after: Duration) -> TimingOut {
        TimingOut { timeout, after, before: 0 }
    }
}

#[async_trait]
impl Injection<World> for TimingOut {
    async fn arm(&mut self, world: &World) -> Result<(), NemesisError> {
        let after = format!("{}ms", self.after.as_millis());
        world.server().set_for_role(&world.address.user, self.timeout.setting(), Some(&after));
        Ok(())
    }

    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.before = world.refused(self.timeout.sqlstate());
        if self.timeout == ServerTimeout::Statement {
            world.server().lock_ledger(true);
        }
        Ok(())
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        if self.timeout == ServerTimeout::Statement {
            world.server().lock_ledger(false);
        }
        world.server().set_for_role(&world.address.user, self.timeout.setting(), None);
        Ok(())
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let sqlstate = self.timeout.sqlstate();
        let what = match self.timeout {
            ServerTimeout::Statement => "statements",
            ServerTimeout::IdleSession | ServerTimeout::IdleInTransaction => "sessions",
        };
        Ok(vec![decisive(&format!("{what} ended with {sqlstate}"), world.refused(sqlstate) - self.before)])
    }
}
