//! A password that is changed for good, and ranges of addresses that the server lets in.

use std::net::Ipv4Addr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::World;
use crate::model::history::Evidence;
use crate::nemesis::{Injection, NemesisError, Range, decisive, supporting};
use crate::simpg::Admission;

/// From where the server sees the gateway come.
const GATEWAY: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// What a server takes to read its rules again.
const RELOAD: Duration = Duration::from_millis(10);

/// The password that is right in the end.
const NEW: &str = "squall-rotated";

/// The password is changed and every session ended; where the client looks for it, the new one lies only once this is
/// healed.
#[derive(Default)]
pub(super) struct RotatingPassword {
    before: usize,
    ended: usize,
}

#[async_trait]
impl Injection<World> for RotatingPassword {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.before = world.refused("28P01");
        let role = &world.address.user;
        world.server().set_password(role, NEW);
        // Afterwards: whoever is ended cannot come in again with the old one.
        self.ended = world.server().terminate_sessions(role).await?;
        Ok(())
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        let none = || NemesisError::NotInForce("the client looks its password up nowhere".into());
        world.address.password_kept.as_ref().ok_or_else(none)?.change(|password| *password = NEW.into());
        Ok(())
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let refused = world.refused("28P01") - self.before;
        Ok(vec![decisive("sign-ins refused with 28P01", refused), supporting("sessions terminated", self.ended)])
    }
}

/// The client kept out by a range next to its address, its sessions ended; on heal every address is let in, then the
/// client's alone.
#[derive(Default)]
pub(super) struct DenyingRange {
    before: usize,
    ended: usize,
    /// Ranges that were in force one after the other.
    ranges: Vec<Range>,
}

impl DenyingRange {
    async fn admit(&mut self, world: &World, range: Range) {
        world.server().admit(Admission::From(range));
        self.ranges.push(range);
        // Long enough for somebody to meet it.
        sleep(RELOAD).await;
    }
}

#[async_trait]
impl Injection<World> for DenyingRange {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.before = world.refused("28000");
        self.admit(world, Range::beside(GATEWAY)).await;
        self.ended = world.server().terminate_sessions(&world.address.user).await?;
        Ok(())
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        self.admit(world, Range::ALL).await;
        self.admit(world, Range::only(GATEWAY)).await;
        Ok(())
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let refused = world.refused("28000") - self.before;
        let mut found =
            vec![decisive("sign-ins refused with 28000", refused), supporting("sessions terminated", self.ended)];
        found.extend(self.ranges.iter().map(|range| supporting(&format!("range {range} in force"), 1)));
        Ok(found)
    }
}
