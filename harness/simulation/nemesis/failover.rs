//! What happens between a primary and its standby. Each as the nemesis of real runs does it, step by step, so that the
//! evidence reads the same.

use std::net::SocketAddr;

use async_trait::async_trait;

use super::World;
use crate::gateway::{Cut, Gateway};
use crate::model::fault::Failover;
use crate::model::history::Evidence;
use crate::model::sqlstate::READ_ONLY;
use crate::model::topology::Host;
use crate::nemesis::{Injection, NemesisError, arranged, decisive, supporting};
use crate::simnet::{FilterRule, Installed};

/// What the server logs where somebody cancels a wait for the standby.
const CANCELLED: &str = "canceling wait for synchronous replication";

pub(super) fn injection(failover: Failover) -> Box<dyn Injection<World>> {
    match failover {
        Failover::Promote => Box::new(Promoting::new(Cause::Loss)),
        Failover::Demote => Box::new(Promoting::new(Cause::Demotion)),
        Failover::PromoteInPlace => Box::new(Promoting::new(Cause::Nothing)),
        Failover::PromoteBeside => Box::<TwoPrimaries>::default(),
        Failover::WrongNode => Box::<WrongNode>::default(),
        Failover::StandbyFirst | Failover::DeadHangs | Failover::DeadRefuses => Box::new(Arranging::new(failover)),
    }
}

/// What becomes of the old primary, from the injection on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It is killed.
    Loss,
    /// It becomes read-only, and stays reachable with every session on it.
    Demotion,
    /// It runs on where the client cannot see it.
    Nothing,
}

/// A promotion on heal. Until then no server that the client can reach takes writes.
struct Promoting {
    cause: Cause,
    before: usize,
    sessions: usize,
    killed: usize,
    promoted: usize,
    /// Sessions of the old primary whose commits nobody could confirm any more.
    unconfirmed: usize,
}

impl Promoting {
    fn new(cause: Cause) -> Promoting {
        Promoting { cause, before: 0, sessions: 0, killed: 0, promoted: 0, unconfirmed: 0 }
    }
}

#[async_trait]
impl Injection<World> for Promoting {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.before = world.refused(READ_ONLY);
        self.sessions = world.door(Host::Primary).unwrap_or(&world.gateway).connections();
        match self.cause {
            Cause::Loss => {
                world.lose_primary().await?;
                self.killed += 1;
            }
            Cause::Demotion => world.server().demote().await?,
            Cause::Nothing => {}
        }
        Ok(())
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        world.promote_standby()?;
        self.promoted += 1;
        if let Some(old) = world.beside() {
            self.unconfirmed = old.end_unconfirmed(&world.address.user).await?;
        }
        world.follow_primary().await
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let mut found = match self.cause {
            Cause::Loss => vec![
                decisive("sessions lost with the primary", self.sessions),
                supporting("primary ended (killed)", self.killed),
            ],
            Cause::Demotion | Cause::Nothing => {
                vec![decisive("statements refused with 25006", world.refused(READ_ONLY) - self.before)]
            }
        };
        found.push(supporting("promotions confirmed", self.promoted));
        if self.cause == Cause::Demotion {
            found.push(supporting("sessions ended for want of a standby", self.unconfirmed));
        }
        Ok(found)
    }
}

/// The standby is promoted beside its primary, which goes on as before; on heal that is fenced.
#[derive(Default)]
struct TwoPrimaries {
    before: usize,
    sessions: usize,
    unconfirmed: usize,
}

#[async_trait]
impl Injection<World> for TwoPrimaries {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.before = world.said(CANCELLED);
        self.sessions = world.door(Host::Primary).map_or(0, Gateway::connections);
        world.promote_standby()
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        if let Some(old) = world.beside() {
            self.unconfirmed = old.fence(&world.address.user).await?;
        }
        Ok(())
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let cancelled = world.said(CANCELLED) - self.before;
        Ok(vec![
            decisive("commits that nobody confirmed", self.unconfirmed + cancelled),
            supporting("of these waits cancelled by the client", cancelled),
            supporting("sessions on the old primary at the promotion", self.sessions),
        ])
    }
}

/// The address leads to the standby until heal, then to the primary again. Connections that were made meanwhile stay.
#[derive(Default)]
struct WrongNode {
    before: usize,
    reset: usize,
    /// Connections to the standby that the heal found open, and left so.
    misled: usize,
}

#[async_trait]
impl Injection<World> for WrongNode {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.before = world.refused(READ_ONLY);
        let standby = world.beside().ok_or_else(|| NemesisError::NotInForce("there is no standby".into()))?;
        world.gateway.route_to(standby.address());
        self.reset = world.gateway.cut(Cut::Reset).await;
        Ok(())
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        self.misled = world.gateway.connections();
        world.follow_primary().await
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![
            decisive("statements refused with 25006", world.refused(READ_ONLY) - self.before),
            supporting("sockets reset", self.reset),
            supporting("connections to the standby left open", self.misled),
        ])
    }
}

/// Addresses of which the first is no good, from the start and for good: over once the client has had time to settle,
/// but nothing is mended.
struct Arranging {
    what: Failover,
    /// Those who had come to the first address, and to the primary's, before the client.
    before: (u64, u64),
    /// What drops SYNs.
    dropping: Option<Installed>,
    settled: usize,
}

impl Arranging {
    fn new(what: Failover) -> Arranging {
        Arranging { what, before: (0, 0), dropping: None, settled: 0 }
    }

    /// The first address, and the primary's.
    fn doors<'a>(&self, world: &'a World) -> Result<(&'a Gateway, &'a Gateway), NemesisError> {
        let host = if self.what == Failover::StandbyFirst { Host::Standby } else { Host::Nobody };
        let none = || NemesisError::NotInForce("the client has no such address".into());
        world.door(host).zip(world.door(Host::Primary)).ok_or_else(none)
    }
}

#[async_trait]
impl Injection<World> for Arranging {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        let (first, primary) = self.doors(world)?;
        self.before = (first.clients_accepted(), primary.clients_accepted());
        match (self.what, first.address()) {
            (Failover::DeadHangs, SocketAddr::V4(at)) => {
                self.dropping = Some(world.filter.install(FilterRule::DropSyns, Some(*at.ip()))?);
            }
            (Failover::DeadRefuses, _) => first.refuse().await?,
            _ => {}
        }
        Ok(())
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        self.settled = world.server().sessions(&world.address.user).open as usize;
        Ok(())
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let (first, primary) = self.doors(world)?;
        let dropped = self.dropping.map(|dropping| world.filter.count(dropping)).transpose()?;
        let dropped: u64 = dropped.into_iter().flatten().map(|(_, count)| count).sum();
        let came = (first.clients_accepted() - self.before.0, primary.clients_accepted() - self.before.1);
        Ok(arranged(self.what, dropped, came, self.settled))
    }
}
